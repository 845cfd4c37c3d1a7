/**
 * What nodes do over HTTP beside their socket: join, and move bytes.
 *
 * Bytes would block heartbeats on the socket. A node may read what belongs to a tenant whose work is on it now, and
 * write only for attempts that were placed on it. A checkpoint becomes *the* checkpoint by one update of the job's row
 * that names the newest token, so a late twin can upload what it likes and change nothing (contracts §5).
 */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { type BlobStore, holdBlobs, isBlobHash, ownBlobs, parseManifest, readAll } from '../../common/blobs/index.ts';
import { joinRequest, type Manifest, manifestCommit } from '../../common/contract/agent/protocol.ts';
import { type Database, withSystem } from '../../common/database/index.ts';
import { SolyxError } from '../../common/errors/index.ts';
import { failpoint } from '../../common/failpoints.ts';
import { asSolyxError, sendProblem } from '../../common/http/index.ts';
import { onUpgrade } from '../../common/http/upgrades.ts';
import type { SecretStore } from '../../common/secrets/index.ts';
import { authenticateNode, type NodeIdentity } from './authenticate.ts';
import { commitArtifacts, commitCheckpoint, findPlacedAttempt, mayReadBlob } from './bytes.ts';
import { cleanText } from './clean-text.ts';
import { connectPath, type Gateway } from './gateway.ts';
import { joinWithToken } from './join.ts';
import { secretRoute } from './secrets.ts';

/** Largest manifest, bytes; chunks are smaller. */
const maxManifestBytes = 32 * 1_048_576;

export interface RouteDependencies {
  readonly db: Database;
  readonly blobs: BlobStore;
  readonly secrets: SecretStore;
  readonly gateway: Gateway;
}

const putQuery = z.object({ token: z.string().regex(/^\d{1,19}$/) });
const getQuery = z.object({ attempt: z.string().max(64).optional() });

/** Registers the agent's routes, and the upgrade of `connectPath`. */
export async function agentRoutes(app: FastifyInstance, deps: RouteDependencies): Promise<void> {
  const { db, blobs } = deps;
  onUpgrade(app, connectPath, (request, socket, head) => deps.gateway.upgrade(request, socket, head));
  await app.register(async (scope) => {
    scope.setErrorHandler((error, request, reply) => sendProblem(request, reply, asSolyxError(error)));
    // Bytes go to the store as they come; nothing gathers them in memory.
    scope.addContentTypeParser('application/octet-stream', (_request, payload, done) => done(null, payload));

    scope.post('/v1/agent/join', async (request, reply) => {
      const body = joinRequest.safeParse(cleanText(request.body));
      if (!body.success) throw invalid(body.error);
      reply.code(201);
      return joinWithToken(db, request.headers.authorization, body.data);
    });

    scope.route<{ Params: { hash: string } }>({
      method: ['GET', 'HEAD'],
      url: '/v1/agent/blobs/:hash',
      handler: async (request, reply) => {
        const node = await authenticate(db, request);
        const query = getQuery.safeParse(request.query);
        if (!query.success) throw invalid(query.error);
        const { hash } = request.params;
        const mayRead =
          isBlobHash(hash) && (await mayReadBlob(db.system, node.nodeId, hash, query.data.attempt ?? null));
        const size = mayRead ? await blobs.size(hash) : undefined;
        if (size === undefined) throw new SolyxError('not_found');
        reply.header('content-type', 'application/octet-stream').header('content-length', size);
        return request.method === 'HEAD' ? reply.send() : reply.send(await blobs.get(hash));
      },
    });

    scope.put<{ Params: { attemptId: string; hash: string } }>(
      '/v1/agent/attempts/:attemptId/blobs/:hash',
      { bodyLimit: maxManifestBytes, config: { streamsBody: true } },
      async (request, reply) => {
        const node = await authenticate(db, request);
        const query = putQuery.safeParse(request.query);
        if (!query.success) throw invalid(query.error);
        const { attemptId, hash } = request.params;
        const attempt = await findPlacedAttempt(db.system, node.nodeId, attemptId, BigInt(query.data.token), null);
        const sizeBytes = await blobs.put(request.body as NodeJS.ReadableStream as never, hash, {
          maxBytes: maxManifestBytes,
        });
        failpoint('gateway.after-blob');
        await withSystem(db, (tx) => ownBlobs(tx, attempt.tenant, [{ hash, sizeBytes }]), { idempotent: true });
        reply.code(204);
      },
    );

    secretRoute(scope, { db, secrets: deps.secrets, authenticate: (request) => authenticate(db, request) });

    for (const kind of ['checkpoint', 'artifacts'] as const) {
      scope.post<{ Params: { attemptId: string } }>(`/v1/agent/attempts/:attemptId/${kind}`, async (request, reply) => {
        const node = await authenticate(db, request);
        const body = manifestCommit.safeParse(request.body);
        if (!body.success) throw invalid(body.error);
        const { token, rank, manifestHash } = body.data;
        const attempt = await findPlacedAttempt(db.system, node.nodeId, request.params.attemptId, BigInt(token), rank);
        const manifest = await completeManifest(deps, attempt.tenant, manifestHash);
        failpoint('gateway.before-manifest-commit');
        await withSystem(
          db,
          (tx) =>
            kind === 'checkpoint'
              ? commitCheckpoint(tx, attempt, manifestHash)
              : commitArtifacts(tx, attempt, rank, manifestHash, manifest),
          { idempotent: true },
        );
        failpoint('gateway.after-manifest-commit');
        reply.code(204);
      });
    }
  });
}

/** Reads a manifest that the tenant has, and makes sure that the tenant has all of its chunks. */
async function completeManifest(deps: RouteDependencies, tenant: string, hash: string): Promise<Manifest> {
  const missing = (hashes: readonly string[]) => holdBlobs(deps.db.system, tenant, hashes);
  const stream = (await missing([hash])).length === 0 ? await deps.blobs.get(hash) : undefined;
  if (stream === undefined) throw new SolyxError('not_found', `The manifest ${hash} was not uploaded.`);
  const manifest = parseManifest(await readAll(stream, maxManifestBytes));
  const chunks = [...new Set(manifest.files.flatMap((file) => file.chunks))];
  const absent = await missing(chunks);
  if (absent.length > 0) {
    throw new SolyxError('manifest_invalid', `${absent.length} of its chunks were not uploaded, such as ${absent[0]}.`);
  }
  return manifest;
}

async function authenticate(db: Database, request: FastifyRequest): Promise<NodeIdentity> {
  const found = await authenticateNode(db.system, request.headers.authorization);
  if (found.kind === 'refused') throw new SolyxError(found.code);
  return found.identity;
}

function invalid(error: z.ZodError): SolyxError {
  const issues = error.issues.map((issue) => ({ at: `/${issue.path.join('/')}`, message: issue.message }));
  return new SolyxError('invalid_body', { issues });
}
