/** Health and metrics of a server: what every listener answers, whichever components it serves. */
import type { FastifyInstance } from 'fastify';
import type { Registry } from 'prom-client';
import { routes } from '../contract/routes/index.ts';
import { SolyxError } from '../errors/index.ts';
import { bindRoute } from './bind.ts';

export interface StatusOptions {
  readonly registry: Registry;
  /** Whether what this server serves works now. A question that is not answered in time counts as no. */
  readonly ready: () => boolean | Promise<boolean>;
}

/** An answer that takes longer is none, milliseconds. */
const readyTimeoutMs = 2_000;

/** Registers /healthz, /readyz (contentless, for probes) and /metrics (for keys of the operator). */
export function serveStatus(app: FastifyInstance, options: StatusOptions): void {
  bindRoute(app, routes.getLiveness, async () => undefined);
  bindRoute(app, routes.getReadiness, async () => {
    if (!(await isReady(options.ready))) throw new SolyxError('not_ready');
    return undefined;
  });
  bindRoute(app, routes.getMetrics, async ({ reply }) =>
    reply.type(options.registry.contentType).send(await options.registry.metrics()),
  );
}

async function isReady(ready: StatusOptions['ready']): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(resolve, readyTimeoutMs, false);
  });
  const asked = (async () => ready())().catch(() => false);
  return Promise.race([asked, late]).finally(() => clearTimeout(timer));
}
