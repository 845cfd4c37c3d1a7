/** What an agent is told when it starts. */
import type { Logger } from '../../common/logger.ts';
import type { ImageOptions } from './images/node-images.ts';
import type { ServerAddress } from './server-address.ts';
import type { ContainerDriverChoice } from './supervisor/index.ts';

export interface AgentOptions {
  /** Everything that the agent keeps; made with mode 0700. One agent at a time. */
  readonly dataDir: string;
  readonly server: ServerAddress;
  /** Needed once, to join; a file is read when it is needed, and may appear later. */
  readonly joinToken?: string | { readonly file: string };
  /** Name of the node; default the host's name. */
  readonly name?: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** Isolation levels that the operator allows; default all that the machine can offer. */
  readonly isolation?: readonly string[];
  /** Whether jobs may use the host's network; default no. */
  readonly hostNetwork?: boolean;
  /** Where images come from and how much room they have. */
  readonly images?: Partial<ImageOptions>;
  /** Drivers of containers that the operator allows, in his order; default every one that works, `runtime` first. */
  readonly containerDrivers?: readonly ContainerDriverChoice['kind'][];
  /** The Node (≥ 24) that supervisors and jobs get; default the one that runs the agent. */
  readonly nodeBinary?: string;
  readonly logger: Logger;
  /** Ends the agent and leaves supervisors running. */
  readonly signal?: AbortSignal;
}
