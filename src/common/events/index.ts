export type { Cursor } from './cursor.ts';
export {
  currentCursor,
  type DirtyBatch,
  DirtyReader,
  dirtyKeptSeconds,
  readDirty,
  truncateOldDirty,
  writeDirty,
} from './dirty.ts';
export {
  appendEvents,
  type DomainEvent,
  type EventBatch,
  type NewEvent,
  pruneEvents,
  readEvents,
} from './domain-events.ts';
export { type Loop, type LoopOptions, runLoop } from './loop.ts';
export { DatabaseWake, LocalWake, type Wake } from './wake.ts';
