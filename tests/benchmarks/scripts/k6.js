// The peer: k6, in a closed loop as fast as it goes, or with constant arrivals where RATE is given.
import http from "k6/http";

const closed = { executor: "constant-vus", vus: Number(__ENV.USERS), duration: __ENV.DURATION };
const open = {
  executor: "constant-arrival-rate",
  rate: Number(__ENV.RATE),
  timeUnit: "1s",
  duration: __ENV.DURATION,
  preAllocatedVUs: Number(__ENV.USERS),
  maxVUs: 2 * Number(__ENV.USERS),
};

export const options = { discardResponseBodies: true, scenarios: { all: __ENV.RATE ? open : closed } };

const params = { headers: { Authorization: "standarduser@company.com", "X-Client-Version": "2" } };

export default function () {
  http.get(__ENV.URL, params);
}
