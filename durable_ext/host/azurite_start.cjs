// Runs Azurite with two differences, for tests and local running. Arguments: its script, then its own.
"use strict";

const path = require("path");

// In memory each message of a queue is an extent of its own. Once a minute Azurite removes those of deleted messages one
// by one, sorting an index of all of them each time, and answers nobody meanwhile: minutes for 13,000 messages. Here they
// are removed together. On disk messages share a few files and nothing has to be done.
function sweepAtOnce(azurite) {
  const Memory = require(path.join(azurite, "common", "persistence", "MemoryExtentStore.js")).default;
  Memory.prototype.deleteExtents = async function (extents) {
    for (const id of extents) {
      this.chunks.delete(this.categoryName, id);
    }
    const stored = this.metadataStore.db.getCollection(this.metadataStore.EXTENTS_COLLECTION);
    stored.removeBatch(stored.data.filter((extent) => extents.has(extent.id)));
    return extents.size;
  };
}

function run() {
  process.argv.splice(1, 1);
  sweepAtOnce(path.dirname(process.argv[1]));
  // It ends, and saves its data, when the process that started it is gone, however that one ended.
  process.stdin.on("end", () => process.kill(process.pid, "SIGTERM")).resume().unref();
  require(process.argv[1]);
}

module.exports = { sweepAtOnce };
if (require.main === module) {
  run();
}
