/**
 * Hands a job's secrets to the node that is about to start it, and to nobody else.
 *
 * A node gets them only for a rank that was placed on it, under the attempt's token, as long as the rank has not started: a node
 * that is taken over later finds nothing to ask for. What the job may have is read from its spec in the database; the node's word
 * for it is not taken. Each handing over is audited in the transaction that opens the values.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { recordAudit } from '../../common/audit/index.ts';
import { type SecretsAnswer, secretsRequest } from '../../common/contract/agent/secrets.ts';
import type { JobSpec } from '../../common/contract/job-spec.ts';
import { type Database, withSystem } from '../../common/database/index.ts';
import type { Transaction } from '../../common/database/queryable.ts';
import { SolyxError } from '../../common/errors/index.ts';
import type { SecretStore } from '../../common/secrets/index.ts';
import type { NodeIdentity } from './authenticate.ts';

/** Most bytes of all secrets of a job together: what an environment and a frame of memory can well take. */
const mostBytes = 1_048_576;

export interface SecretRouteDependencies {
  readonly db: Database;
  readonly secrets: SecretStore;
  /** @throws unauthenticated, key_revoked */
  readonly authenticate: (request: FastifyRequest) => Promise<NodeIdentity>;
}

/** Registers the route; `scope` parses JSON bodies. */
export function secretRoute(scope: FastifyInstance, deps: SecretRouteDependencies): void {
  scope.post<{ Params: { attemptId: string } }>('/v1/agent/attempts/:attemptId/secrets', async (request, reply) => {
    const node = await deps.authenticate(request);
    const body = secretsRequest.safeParse(request.body);
    if (!body.success) throw new SolyxError('invalid_body');
    const { attemptId } = request.params;
    reply.header('cache-control', 'no-store');
    return withSystem(deps.db, (tx) => handOver(tx, deps.secrets, node, { attemptId, ...body.data }), {
      idempotent: true,
    });
  });
}

interface StartingRow {
  tenant: string;
  job_id: string;
  project: string;
  spec: JobSpec;
}

async function handOver(
  tx: Transaction,
  store: SecretStore,
  node: NodeIdentity,
  {
    attemptId,
    rank,
    token,
    image,
  }: { readonly attemptId: string; readonly rank: number; readonly token: string; readonly image: boolean },
): Promise<SecretsAnswer> {
  // An attempt of unknown state is one whose node was silent: it may be starting.
  const { rows } = await tx.query<StartingRow>(
    `select j.tenant, j.id as job_id, j.project, j.spec
     from cmo_attempts a join cmo_jobs j on j.id = a.job_id
     join cmo_attempt_ranks r on r.attempt_id = a.id and r.rank = $4 and r.node_id = $2
     where a.id = $1 and a.token = $3::numeric and a.token = j.newest_token and a.state <> 'ended'
       and r.state in ('placed', 'starting')`,
    [attemptId, node.nodeId, token, rank],
  );
  const row = rows[0];
  if (!row) throw new SolyxError('not_found', 'No rank of this attempt is to be started on this node.');
  const wanted = image ? [] : row.spec.secrets;
  const forImage = image ? row.spec.imageCredentials?.secret : undefined;
  const names = forImage === undefined ? [...new Set(wanted.map(({ name }) => name))] : [forImage];
  const values = await store.open(tx, row.tenant, row.project, names, row.job_id);
  const total = wanted.reduce((sum, { name }) => sum + values.get(name)!.length, 0);
  if (total > mostBytes) {
    throw new SolyxError('job_spec_invalid', `Its secrets have ${total} bytes together, of at most ${mostBytes}.`);
  }
  if (names.length > 0) {
    const data = { secrets: names, attempt: attemptId, rank, node: node.nodeId };
    await recordAudit(tx, {
      system: 'gateway',
      tenant: row.tenant,
      action: 'secret.given',
      subject: row.job_id,
      data,
    });
  }
  return {
    secrets: wanted.map(({ name, env, file }) => ({
      env: env ?? null,
      file: file ?? null,
      value: values.get(name)!.toString('base64'),
    })),
    imageCredentials: forImage === undefined ? null : values.get(forImage)!.toString('base64'),
  };
}
