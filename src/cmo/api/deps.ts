/** What the API needs from outside; built once in `main.ts`. */
import type { Registry } from 'prom-client';
import type { BlobStore } from '../../common/blobs/index.ts';
import type { Clock } from '../../common/clock.ts';
import type { JobSpec } from '../../common/contract/job-spec.ts';
import type { PendingReason } from '../../common/contract/states/job.ts';
import type { Database } from '../../common/database/index.ts';
import type { Wake } from '../../common/events/index.ts';
import type { Logger } from '../../common/logger.ts';
import type { SecretStore } from '../../common/secrets/index.ts';
import type { ChannelHub } from '../../metapod/gateway/index.ts';
import type { MoveLimits, ProposedMoves } from '../scheduler/index.ts';
import type { ChannelTimings } from './channels/held.ts';
import type { IdentitySettings } from './identity/settings.ts';

/** What the scheduler would do with a job if it were submitted now. */
export interface Preview {
  readonly startsNow: boolean;
  /** Why it would wait; null exactly when it starts now. */
  readonly reason: PendingReason | null;
  readonly message: string;
  readonly rejections: Readonly<Record<string, number>>;
  /** ISO 8601; null when it would start now or nobody knows. */
  readonly expectedAt: string | null;
  /** Jobs of the tenant that wait before it. */
  readonly ahead: number;
}

/** Whose job it would be: ids of tenant, project and key. */
export interface PreviewOwner {
  readonly tenant: string;
  readonly project: string;
  readonly submittedBy: string;
}

export interface ApiDeps {
  readonly db: Database;
  readonly wake: Wake;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Registry;
  readonly blobs: BlobStore;
  readonly secrets: SecretStore;
  /** Most bytes of one upload. */
  readonly bundleBytes: number;
  readonly identity: IdentitySettings;
  /** Where clients and agents' sockets meet in this process. */
  readonly channels: ChannelHub;
  /** Limits of channels into jobs, when they are not the usual ones. */
  readonly channelTimings?: Partial<ChannelTimings>;
  /** Networks beside the public internet that web-hooks may go to. Default none. */
  readonly webHookNetworks?: readonly string[];
  /** The scheduler's answer to a dry run. */
  readonly preview: (spec: JobSpec, owner: PreviewOwner) => Promise<Preview>;
  /** Moves of running jobs that would be worth it; amounts in thousandths of devices. */
  readonly proposeMoves: (limits: MoveLimits) => Promise<ProposedMoves>;
}
