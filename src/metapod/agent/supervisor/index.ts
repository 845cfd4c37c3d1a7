/** What the agent uses of the supervisor. */
export { destroyAttempt, killAttempt } from './destroy.ts';
export {
  type ContainerDriverChoice,
  type EndReason,
  type Enforcement,
  FILES,
  type Launch,
  type LaunchContainer,
  type LaunchDevice,
  type Lease,
  readLaunch,
  readLease,
  readShipped,
  readStatus,
  readStop,
  readUsage,
  type Status,
  type StopRequest,
  type Usage,
  writeLaunch,
  writeLease,
  writeShipped,
  writeStop,
} from './files.ts';
export { type Inspection, inspectSupervisor } from './inspect.ts';
export { type LogPage, readLog } from './log-reader.ts';
export type { LogRecord } from './log-writer.ts';
export { bootId, identify, isAlive, type ProcessIdentity } from './process-identity.ts';
export { type JobSecrets, noSecrets, type SecretFile } from './secret-input.ts';
export { SpareSupervisor } from './spare.ts';
export { type StartedSupervisor, type StartOptions, startSupervisor, wordsFile } from './start.ts';
