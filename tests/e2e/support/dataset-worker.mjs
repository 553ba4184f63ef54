// Stands where a dataset of Analytics Engine is bound, and tells by HTTP which data points were written to it.
import { WorkerEntrypoint } from "cloudflare:workers";

const written = [];

export class Dataset extends WorkerEntrypoint {
  writeDataPoint(point) {
    written.push(point);
  }
}

export default {
  fetch: () => Response.json(written),
};
