/**
 * Signs the heads of the audit logs twice a minute where they grew, and says so in the server's log: logs that are shipped
 * elsewhere are then a record of the heads that nobody with the database alone can change.
 */
import type { FastifyInstance } from 'fastify';
import { sealHeads } from '../../../common/audit/index.ts';
import { SolyxError } from '../../../common/errors/index.ts';
import { type Loop, runLoop } from '../../../common/events/index.ts';
import type { ApiDeps } from '../deps.ts';

const everySeconds = 30;

/** Seals as long as the server listens. */
export function sealWhileListening(app: FastifyInstance, deps: ApiDeps): void {
  let loop: Loop | undefined;
  app.addHook('onListen', async () => {
    loop = runLoop({
      name: 'audit seals',
      wake: deps.wake,
      logger: deps.logger,
      wakeOn: [],
      resyncSeconds: everySeconds,
      run: () => sealOnce(deps),
    });
  });
  app.addHook('preClose', async () => loop?.stop());
}

async function sealOnce({ db, clock, logger, secrets }: ApiDeps): Promise<void> {
  try {
    for (const { tenant, sequence, hash, signature } of await sealHeads(db, secrets, clock.now())) {
      logger.info({ tenant, sequence, hash, signature }, 'sealed the audit log');
    }
  } catch (error) {
    // Said at the start of the server and whenever a secret is asked for; twice a minute would be noise.
    if (!(error instanceof SolyxError && error.code === 'secrets_key_missing')) throw error;
  }
}
