import { inParallel, parts, traffic } from "./events.mjs";
import { startProduct } from "./product.mjs";
const t0=Date.now(); const log=(...a)=>console.error(Date.now()-t0,...a);
const product=await startProduct(); log("up");
const events=traffic({count:20000,paths:300,hours:6,seed:1}); log("made");
await inParallel(parts(events,4000),4,async(some,i)=>{const r=await product.collect(some); log(i,r.status,(await r.text()).slice(0,200));});
for(let i=0;i<6;i++){ log(await product.row("select (select count(*) from traffic_events) raw,(select sum(requests) from path_stats_hourly) s,(select count(*) from path_stats_hourly) h,(select count(*) from outbox) o,(select count(*) from dead_letters) d")); await new Promise(r=>setTimeout(r,2000)); }
log(product.harness.getLogs().slice(0,10));
await product.stop();
