// A consumer of the queue that stands still while the key `gate` in KV says `closed`, and takes all when it does not.
export default {
  async queue(batch, env) {
    while ((await env.KV.get("gate")) === "closed") await new Promise((resolve) => setTimeout(resolve, 100));
    batch.ackAll();
  },
};
