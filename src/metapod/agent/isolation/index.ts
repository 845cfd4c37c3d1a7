/** What the agent and `doctor` use of isolation; running a job is the supervisor's business. */
export { type ContainerProbe, probeContainer } from './container/probe.ts';
export { type IsolationProbe, type LevelProbe, probeIsolation } from './probe.ts';
