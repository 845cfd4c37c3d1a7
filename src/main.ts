/**
 * Composition root: configuration → database → components → servers. Nothing else wires.
 *
 * `solyx up` starts every component on one server and one port; `solyx serve` starts some of them, each on the port that
 * contracts §2 gives it. A component is the same thing in both: it registers routes, starts its loops, says when it is ready.
 */
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { collectDefaultMetrics, Registry } from 'prom-client';
import {
  type ApiDeps,
  bootstrap,
  identitySettings,
  makeAuthenticator,
  serveApi,
  serveDashboard,
} from './cmo/api/index.ts';
import { Notifier, notificationSettings, webHookNetworks } from './cmo/monitoring/index.ts';
import { ClusterOrchestrator, createAgentBackend } from './cmo/orchestrator/index.ts';
import { createPreview, SchedulerThread, schedulerPolicy, schedulerSettings } from './cmo/scheduler/index.ts';
import { type BlobStore, openDirectoryStore } from './common/blobs/index.ts';
import { type Clock, systemClock } from './common/clock.ts';
import type { Config } from './common/config/index.ts';
import { type Database, lockHome, startDatabase } from './common/database/index.ts';
import { SolyxError } from './common/errors/index.ts';
import { DatabaseWake, type Wake } from './common/events/index.ts';
import { closeServer, createHttpServer } from './common/http/index.ts';
import { listenLocally, tlsFilesOf } from './common/http/listening.ts';
import { serveStatus } from './common/http/status.ts';
import { loadTls, watchTls } from './common/http/tls.ts';
import type { Logger } from './common/logger.ts';
import { openSecretStore, type SecretStore } from './common/secrets/index.ts';
import { Traffic } from './common/traffic.ts';
import { registerFleetMetrics } from './drm/metrics/index.ts';
import { ensureSite, startPresenceLoop } from './drm/tracker/index.ts';
import { startHousekeeping } from './housekeeping.ts';
import { addressForServers, agentRoutes, ChannelHub, Gateway, serveAgentChannels } from './metapod/gateway/index.ts';

/** What components are built from. */
export interface Services {
  readonly config: Config;
  readonly home: string;
  readonly db: Database;
  readonly wake: Wake;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly registry: Registry;
  readonly blobs: BlobStore;
  readonly secrets: SecretStore;
  /** Requests that any server of this process is asked. */
  readonly traffic: Traffic;
  /** Where clients of running jobs and agents' sockets meet in this process. */
  readonly channels: ChannelHub;
  /** Id of this process among replicas. */
  readonly processId: string;
  /** Where the api listens plainly on loopback beside TLS. */
  localUrl?: string;
  /** Folder of the dashboard's build; null where there is none. */
  readonly dashboard: string | null;
}

/** A component that runs. */
interface Running {
  ready(): boolean;
  stop(): Promise<void>;
}

interface Component {
  /** Port when it is served alone (contracts §2). */
  readonly port: number;
  start(services: Services, app: FastifyInstance): Promise<Running>;
}

/** Every component of this release, by name. */
export const components = {
  api: {
    port: 8000,
    async start(services, app) {
      const { db, wake, clock, logger, registry, blobs } = services;
      const { bundleBytes } = services.config.limits;
      const preview = createPreview(db, clock, schedulerPolicy(services.config.scheduler));
      const identity = identitySettings(services.config, clock);
      const deps: ApiDeps = {
        secrets: services.secrets,
        db,
        wake,
        clock,
        logger,
        metrics: registry,
        blobs,
        bundleBytes,
        identity,
        channels: services.channels,
        webHookNetworks: webHookNetworks(services.config),
        preview,
        proposeMoves: preview.moves,
      };
      await serveApi(app, deps);
      await serveDashboard(app, services.dashboard);
      return { ready: () => true, stop: () => preview.stop() };
    },
  },
  tracker: {
    port: 8081,
    async start({ db, wake, clock, logger, blobs, registry, secrets, channels }, app) {
      const gateway = new Gateway({ db, wake, clock, logger, registry });
      await agentRoutes(app, { db, blobs, secrets, gateway });
      serveAgentChannels(app, { db, hub: channels, logger });
      // A node's socket is no request that ends: the server would wait for it for ever.
      app.addHook('preClose', () => gateway.stop());
      registerFleetMetrics(registry, db);
      gateway.start();
      const presence = startPresenceLoop({ db, wake, clock, logger });
      return {
        ready: () => true,
        stop: async () => {
          await gateway.stop();
          await presence.stop();
        },
      };
    },
  },
  scheduler: {
    port: 8090,
    async start({ config, db, wake, logger, registry, traffic }) {
      const settings = schedulerSettings(config.scheduler);
      const scheduler = new SchedulerThread({ logins: db.logins, wake, logger, registry, traffic, ...settings });
      scheduler.start();
      return { ready: () => scheduler.ready(), stop: () => scheduler.stop() };
    },
  },
  orchestrator: {
    port: 8091,
    async start({ db, wake, clock, logger, registry, processId }) {
      const backends = [createAgentBackend({ db, wake })];
      const orchestrator = new ClusterOrchestrator({ db, wake, clock, logger, registry, backends, owner: processId });
      orchestrator.start();
      return { ready: () => orchestrator.ready(), stop: () => orchestrator.stop() };
    },
  },
  monitoring: {
    port: 8092,
    async start({ config, db, wake, logger, registry, secrets }) {
      const notifier = new Notifier({ db, wake, logger, registry, secrets, ...notificationSettings(config) });
      await notifier.start();
      return { ready: () => true, stop: () => notifier.stop() };
    },
  },
} as const satisfies Record<string, Component>;

export type ComponentName = keyof typeof components;

export interface ControlPlaneOptions {
  readonly config: Config;
  readonly home: string;
  readonly logger: Logger;
  readonly components: readonly ComponentName[];
  /** One port for all of them; undefined: each its own. */
  readonly port?: number | undefined;
  /** Whether this is the one server of the data directory; replicas on one PostgreSQL may share one. */
  readonly ownsHome?: boolean;
  /** Folder of the dashboard's build, which may still be in the making while the database starts. */
  readonly dashboard?: Promise<string | null>;
}

export interface ControlPlane {
  /** URL of each component that listens; the same for all on one port. */
  readonly urls: Readonly<Partial<Record<ComponentName, string>>>;
  /** URL of the api for processes of this machine; with TLS another one than theirs. */
  readonly localUrl: string | undefined;
  readonly services: Services;
  /** Where the local site's rows are. */
  readonly siteId: string;
  /** Ends servers, loops and pools, and the database where it is ours. */
  stop(): Promise<void>;
}

/**
 * Starts components.
 * @throws home_in_use, port_in_use, and what `startDatabase` throws; nothing is left running then
 */
export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const { config, home, logger } = options;
  const { url, poolSize } = config.database;
  const stops: (() => Promise<void>)[] = [];
  const stop = async () => {
    for (const step of stops.splice(0).reverse()) {
      await step().catch((error) => logger.error({ err: error }, 'a part did not stop cleanly'));
    }
  };
  try {
    if (options.ownsHome) {
      const lock = lockHome(home);
      // The embedded database takes the same lock for itself.
      if (url === undefined) lock.release();
      else stops.push(async () => lock.release());
    }
    const tls = tlsFilesOf(config.server);
    if (tls) loadTls(tls);
    // Known before anything is started; found out later, it costs the start of a database.
    await checkPorts(options);
    const database = await startDatabase({ home, url, logger, poolSize });
    stops.push(() => database.stop());
    const { db } = database;
    await bootstrap(db, { home });
    const siteId = await ensureLocalSite(db, config);
    const wake = await DatabaseWake.start(db, logger);
    stops.push(() => wake.stop());
    const registry = new Registry();
    // Each look at the loop's delay wakes the process; the usual 100 a second are most of what an idle server costs.
    collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 50 });
    const processId = `${process.pid}-${randomUUID()}`;
    const services: Services = {
      config,
      home,
      db,
      wake,
      clock: systemClock,
      logger,
      registry,
      blobs: await openDirectoryStore(join(home, 'blobs')),
      secrets: await openSecretStore({
        db,
        keyFile: config.secrets.keyFile ?? join(home, 'secrets.key'),
        logger,
        registry,
      }),
      processId,
      channels: new ChannelHub(processId),
      traffic: new Traffic(),
      dashboard: (await options.dashboard) ?? null,
    };
    stops.push(startHousekeeping({ ...services, retention: config.retention }));
    const urls = await serve(services, options, stops);
    return { urls, localUrl: services.localUrl ?? urls.api, services, siteId, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function ensureLocalSite(db: Database, config: Config): Promise<string> {
  const { site } = config;
  const settings = {
    name: site.name,
    latitude: site.latitude ?? null,
    longitude: site.longitude ?? null,
    gridZone: site.gridZone ?? null,
    pue: site.pue,
    deviceUsdPerHour: site.devicePricePerHour,
    cpuUsdPerHour: site.cpuPricePerHour,
    memoryUsdPerHour: site.memoryPricePerHour,
  };
  return (await ensureSite(db, settings)).id;
}

/** One server for all components, or one for each. */
async function serve(
  services: Services,
  options: ControlPlaneOptions,
  stops: (() => Promise<void>)[],
): Promise<Partial<Record<ComponentName, string>>> {
  const { config, clock, logger, db } = services;
  const groups = options.port === undefined ? options.components.map((name) => [name]) : [options.components];
  const urls: Partial<Record<ComponentName, string>> = {};
  const tls = tlsFilesOf(config.server);
  for (const group of groups) {
    const perSecond = config.limits.requestsPerSecond;
    const app = await createHttpServer({
      logger,
      clock,
      authenticate: makeAuthenticator(db, clock),
      publicUrl: config.server.publicUrl,
      traffic: services.traffic,
      tls: tls && loadTls(tls),
      rateLimit: { perSecond, burst: 2 * perSecond },
    });
    const running: Running[] = [];
    for (const name of group) {
      const part = await components[name].start(services, app);
      running.push(part);
      stops.push(() => part.stop());
    }
    if (!group.includes('api'))
      serveStatus(app, { registry: services.registry, ready: () => running.every((part) => part.ready()) });
    // Requests end before the loops that they rely on.
    let local: Awaited<ReturnType<typeof listenLocally>> | undefined;
    stops.push(async () => local?.close());
    stops.push(() => closeServer(app));
    const url = await listen(app, config.server.host, options.port ?? components[group[0]!].port);
    for (const name of group) urls[name] = url;
    if (tls) {
      const unwatch = watchTls(app.server, tls, logger);
      stops.push(async () => unwatch());
      local = await listenLocally(app);
      if (group.includes('api')) services.localUrl = local.url;
    }
    if (group.includes('api')) {
      services.channels.url = addressForServers(url);
      if (tls) services.channels.certificate = () => loadTls(tls).cert;
    }
  }
  return urls;
}

/** @throws port_in_use when one of the ports cannot be had now */
async function checkPorts({ config, components: names, port }: ControlPlaneOptions): Promise<void> {
  const { host } = config.server;
  for (const wanted of new Set(port === undefined ? names.map((name) => components[name].port) : [port])) {
    const probe = createServer();
    await new Promise<void>((resolve, reject) => {
      probe.once('error', reject);
      probe.listen({ host, port: wanted }, () => probe.close(() => resolve()));
    }).catch((error) => {
      throw explainListen(error, host, wanted);
    });
  }
}

function explainListen(error: unknown, host: string, port: number): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'EADDRINUSE') return new SolyxError('port_in_use', `Something listens on ${host}:${port} already.`);
  if (code === 'EACCES') return new SolyxError('port_in_use', `This user may not listen on ${host}:${port}.`);
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') {
    const detail = `This machine has no address ${host}.`;
    return new SolyxError('config_invalid', { detail, issues: [{ at: 'server.host', message: detail }] });
  }
  return error;
}

async function listen(app: FastifyInstance, host: string, port: number): Promise<string> {
  try {
    await app.listen({ host, port });
  } catch (error) {
    throw explainListen(error, host, port);
  }
  const address = app.server.address();
  const bound = typeof address === 'object' && address !== null ? address.port : port;
  return `${app.initialConfig.https ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${bound}`;
}
