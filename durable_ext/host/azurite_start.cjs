// Runs Azurite with four differences, for tests and local running. Arguments: its script, then its own.
"use strict";

const path = require("path");

process.argv.splice(1, 1);
const azurite = path.dirname(process.argv[1]);

// 1. It ends, and saves its data, when the process that started it is gone, however that one ended.
process.stdin.on("end", () => process.emit("SIGTERM")).resume().unref();

// 2. One request to end is enough: a second signal would kill it while it saves.
process.on("SIGTERM", () => undefined);

// 3. Before it closes a service it stops taking requests and waits for the answers of those it took. By itself it saves
//    first, and what a request writes after that is acknowledged and lost.
const Server = require(path.join(azurite, "common", "ServerBase.js")).default;
const LONGEST_DRAIN_MS = 5000;
const close = Server.prototype.close;
Server.prototype.close = async function () {
  this.httpServer.removeAllListeners("request");
  const end = Date.now() + LONGEST_DRAIN_MS;
  while (Date.now() < end && [...this.httpServer._pendingSockets.values()].some((requests) => requests > 0)) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return close.call(this);
};

// 4. In memory each message of a queue is an extent of its own. Once a minute Azurite removes those of deleted messages
//    one by one, sorting an index of all of them each time, and answers nobody meanwhile: minutes for 13,000 messages.
//    Here they are removed together. On disk messages share a few files and nothing has to be done.
const Memory = require(path.join(azurite, "common", "persistence", "MemoryExtentStore.js")).default;
Memory.prototype.deleteExtents = async function (extents) {
  for (const id of extents) {
    this.chunks.delete(this.categoryName, id);
  }
  const stored = this.metadataStore.db.getCollection(this.metadataStore.EXTENTS_COLLECTION);
  stored.removeBatch(stored.data.filter((extent) => extents.has(extent.id)));
  return extents.size;
};

require(process.argv[1]);
