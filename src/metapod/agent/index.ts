/** Face of the agent: running it, ending everything of it, and what `doctor` asks of a machine. */
export { ControlPlaneAway } from './control-plane.ts';
export {
  type ContainerProbe,
  type IsolationProbe,
  type LevelProbe,
  probeContainer,
  probeIsolation,
} from './isolation/index.ts';
export type { AgentOptions } from './options.ts';
export { endEverything, runAgent } from './run-agent.ts';
export type { ServerAddress } from './server-address.ts';
