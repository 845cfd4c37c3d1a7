/** A gateway behind a real HTTP server. */
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { Registry } from 'prom-client';
import { openDirectoryStore } from '../../../../src/common/blobs/index.ts';
import { systemClock } from '../../../../src/common/clock.ts';
import type { Database } from '../../../../src/common/database/index.ts';
import { SolyxError } from '../../../../src/common/errors/index.ts';
import { DatabaseWake } from '../../../../src/common/events/index.ts';
import { closeServer, createHttpServer } from '../../../../src/common/http/index.ts';
import { type Logger, silentLogger } from '../../../../src/common/logger.ts';
import { openSecretStore } from '../../../../src/common/secrets/index.ts';
import { agentRoutes, Gateway, type SessionTimings } from '../../../../src/metapod/gateway/index.ts';

export interface StartedGateway {
  readonly gateway: Gateway;
  readonly registry: Registry;
  readonly wake: DatabaseWake;
  readonly port: number;
  readonly url: string;
  stop(): Promise<void>;
}

export async function startGateway(options: {
  db: Database;
  /** Folder of the blobs. */
  blobs: string;
  logger?: Logger;
  port?: number;
  timings?: SessionTimings;
}): Promise<StartedGateway> {
  const { db, logger = silentLogger } = options;
  const wake = await DatabaseWake.start(db, logger);
  const registry = new Registry();
  const gateway = new Gateway({
    db,
    wake,
    clock: systemClock,
    logger,
    registry,
    ...(options.timings !== undefined && { timings: options.timings }),
  });
  const app = await createHttpServer({
    logger,
    clock: systemClock,
    authenticate: async () => {
      throw new SolyxError('unauthenticated');
    },
  });
  const secrets = await openSecretStore({
    db,
    keyFile: join(dirname(options.blobs), 'secrets.key'),
    logger: silentLogger,
    registry: new Registry(),
  });
  await agentRoutes(app, { db, blobs: await openDirectoryStore(options.blobs), secrets, gateway });
  await app.listen({ host: '127.0.0.1', port: options.port ?? 0 });
  gateway.start();
  const { port } = app.server.address() as AddressInfo;
  return {
    gateway,
    registry,
    wake,
    port,
    url: `http://127.0.0.1:${port}`,
    async stop() {
      await gateway.stop();
      await closeServer(app, 500);
      await wake.stop();
    },
  };
}
