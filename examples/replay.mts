// Sends again what is dead of an endpoint, over the API: node replay.mjs http://127.0.0.1:8421 ci [TOKEN]
//
// The types are made from the document that hookbox serves, so that the compiler knows every field:
//
//   npm install openapi-typescript openapi-fetch typescript @types/node
//   npx openapi-typescript http://127.0.0.1:8421/openapi.json -o hookbox.d.ts
//   npx tsc --target es2022 --module nodenext --strict replay.mts
import { randomUUID } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import createClient from "openapi-fetch";
import type { paths } from "./hookbox.js";

const [address, endpoint, token] = process.argv.slice(2);
if (!address || !endpoint) throw new Error("usage: replay.mjs ADDRESS ENDPOINT [TOKEN]");
const headers = token ? { authorization: `Bearer ${token}` } : undefined;
const api = createClient<paths>({ baseUrl: address, headers });
const filter = { state: "dead", endpoint };

/** What was asked for, or an error with what hookbox said is wrong. */
function told<T>({ data, error }: { data?: T; error?: { detail: string } }): T {
  if (data === undefined) throw new Error(error?.detail ?? "no answer that the document knows");
  return data;
}

// First only to see. An older delivery of an event that arrived since is left out.
const preview = told(await api.POST("/api/v1/replays", { body: { filter, dry_run: true } }));
console.log(`to be sent to ${endpoint} again: ${preview.deliveries}`);
if (preview.deliveries > 0) {
  // The key makes it one replay, however often an uncertain request is repeated.
  const key = { header: { "Idempotency-Key": randomUUID() } };
  const begun = told(await api.POST("/api/v1/replays", { params: key, body: { filter } }));
  const path = { replay: begun.replay! };
  let now = told(await api.GET("/api/v1/replays/{replay}", { params: { path } }));
  while (now.state === "running" || now.state === "paused") {
    await setTimeout(200);
    now = told(await api.GET("/api/v1/replays/{replay}", { params: { path } }));
  }
  console.log(`${now.id}: ${now.delivered} delivered, ${now.dead} dead`);
}
