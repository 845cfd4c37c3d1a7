/** Ways into a running job: shells, forwarded ports, files. */
import type { FastifyInstance } from 'fastify';
import { recordAudit } from '../../../common/audit/index.ts';
import { type Database, withSystem } from '../../../common/database/index.ts';
import { serveRelayedChannels, sweepChannels } from '../../../metapod/gateway/index.ts';
import type { ApiDeps } from '../deps.ts';
import { HeldChannels } from './held.ts';
import { serveShells } from './shell.ts';

export { channelHandlers } from './files.ts';
export type { ChannelTimings } from './held.ts';

/** Serves the sockets; call it before `listen`. */
export function serveChannels(app: FastifyInstance, deps: ApiDeps): HeldChannels {
  const held = new HeldChannels(deps);
  // Said before the sockets are closed, so that people read why.
  app.addHook('preClose', async () => held.stop());
  serveShells(app, deps, held);
  serveRelayedChannels(app, { db: deps.db, hub: deps.channels, logger: deps.logger });
  return held;
}

/** Writes the end of channels whose server died into the audit log. @returns how many there were */
export async function endAbandonedChannels(db: Database): Promise<number> {
  return withSystem(
    db,
    async (tx) => {
      const swept = await sweepChannels(tx);
      for (const { id, tenant, jobId, kind } of swept) {
        const data = { channel: id, why: 'the server that held it is gone' };
        await recordAudit(tx, { system: 'channels', tenant, action: `job.${kind}.ended`, subject: jobId, data });
      }
      return swept.length;
    },
    { idempotent: true },
  );
}
