/** What the agent and `doctor` use of isolation; running a job is the supervisor's business. */
export { type IsolationProbe, type LevelProbe, probeIsolation } from './probe.ts';
