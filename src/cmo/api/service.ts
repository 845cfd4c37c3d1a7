/** Health, metrics and the description of the API. */
import type { FastifyInstance } from 'fastify';
import { SolyxError } from '../../common/errors/index.ts';
import type { Handlers } from '../../common/http/index.ts';
import type { ApiDeps } from './deps.ts';

/** A database that answers slower than this is not there, milliseconds. */
const readyTimeoutMs = 2_000;

export function serviceHandlers(
  app: FastifyInstance,
  deps: Pick<ApiDeps, 'db' | 'metrics'>,
): Handlers<'getLiveness' | 'getReadiness' | 'getMetrics' | 'getOpenapi'> {
  return {
    getLiveness: async () => undefined,

    getReadiness: async () => {
      if (!(await answers(deps.db.system.query('select 1'))))
        throw new SolyxError('not_ready', 'The database does not answer.');
      return undefined;
    },

    getMetrics: async ({ reply }) => reply.type(deps.metrics.contentType).send(await deps.metrics.metrics()),

    getOpenapi: async ({ reply }) =>
      reply.type('application/json; charset=utf-8').serializer(JSON.stringify).send(app.swagger()),
  };
}

async function answers(question: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(resolve, readyTimeoutMs, false);
  });
  const answered = question.then(
    () => true,
    () => false,
  );
  return Promise.race([answered, late]).finally(() => clearTimeout(timer));
}
