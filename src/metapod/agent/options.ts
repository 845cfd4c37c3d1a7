/** What an agent is told when it starts. */
import type { Logger } from '../../common/logger.ts';
import type { ServerAddress } from './server-address.ts';

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
  /** The Node (≥ 24) that supervisors and jobs get; default the one that runs the agent. */
  readonly nodeBinary?: string;
  readonly logger: Logger;
  /** Ends the agent and leaves supervisors running. */
  readonly signal?: AbortSignal;
}

export const agentVersion = '0.1.0';
