/**
 * What the agent asks of the control plane over HTTP: joining, and moving bytes.
 *
 * Two ways of failing are kept apart, because they call for opposite things: `away` (no answer, or an answer that says
 * "not now") is waited out however long it takes; anything else is an answer and will be the same next time.
 */
import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { joinResponse } from '../../common/contract/agent/protocol.ts';
import { type SecretsAnswer, secretsAnswer } from '../../common/contract/agent/secrets.ts';
import { type Code, errorCodes, SolyxError } from '../../common/errors/index.ts';
import { resolveServer, type ServerAddress } from './server-address.ts';

const answerMs = 30_000;
const transferMs = 600_000;
const awayStatus = new Set([408, 425, 429, 502, 503, 504]);

/** The control plane gave no answer, or said "not now". */
export class ControlPlaneAway extends Error {
  constructor(why: string, cause?: unknown) {
    super(`the control plane is away: ${why}`, { cause });
    this.name = 'ControlPlaneAway';
  }
}

export class ControlPlane {
  readonly #address: ServerAddress;
  #token: string;

  /** @param token the node's; '' before it joined */
  constructor(address: ServerAddress, token: string) {
    this.#address = address;
    this.#token = token;
  }

  /** @throws ControlPlaneAway, or SolyxError such as `join_token_used`, `already_exists` */
  async join(joinToken: string, request: { name: string; installationId: string }) {
    const response = await this.#fetch('POST', '/v1/agent/join', JSON.stringify(request), {
      authorization: `Bearer ${joinToken}`,
      'content-type': 'application/json',
    });
    const identity = joinResponse.parse(await response.json());
    this.#token = identity.token;
    return identity;
  }

  /** The bytes of a blob, or undefined when this node may not read such a blob. @throws ControlPlaneAway, SolyxError */
  async get(hash: string): Promise<Readable | undefined> {
    const response = await this.#fetch('GET', `/v1/agent/blobs/${hash}`).catch(unlessMissing);
    if (response === undefined) return undefined;
    return response.body === null ? Readable.from([]) : Readable.fromWeb(response.body as ReadableStream);
  }

  /** Whether an upload for this attempt can be spared. @throws ControlPlaneAway, SolyxError */
  async has(attemptId: string, hash: string): Promise<boolean> {
    const path = `/v1/agent/blobs/${hash}?attempt=${attemptId}`;
    return (await this.#fetch('HEAD', path).catch(unlessMissing)) !== undefined;
  }

  /** Uploads bytes for an attempt. @throws ControlPlaneAway, or SolyxError such as `stale_token`, `disk_full` */
  async put(attempt: { attemptId: string; token: string }, content: Uint8Array, hash: string): Promise<void> {
    const path = `/v1/agent/attempts/${attempt.attemptId}/blobs/${hash}?token=${attempt.token}`;
    await this.#fetch('PUT', path, content, { 'content-type': 'application/octet-stream' });
  }

  /** Makes an uploaded manifest count. @throws ControlPlaneAway, or SolyxError such as `stale_token`, `job_final` */
  async commit(
    kind: 'checkpoint' | 'artifacts',
    attempt: { attemptId: string; rank: number; token: string },
    manifestHash: string,
  ): Promise<void> {
    const { attemptId, rank, token } = attempt;
    await this.#fetch(
      'POST',
      `/v1/agent/attempts/${attemptId}/${kind}`,
      JSON.stringify({ token, rank, manifestHash }),
      {
        'content-type': 'application/json',
      },
    );
  }

  /** Secrets of a rank that is about to start. @throws ControlPlaneAway, or SolyxError such as `secret_missing` */
  async secrets(attempt: { attemptId: string; rank: number; token: string }): Promise<SecretsAnswer['secrets']> {
    const { attemptId, rank, token } = attempt;
    const response = await this.#fetch(
      'POST',
      `/v1/agent/attempts/${attemptId}/secrets`,
      JSON.stringify({ token, rank }),
      {
        'content-type': 'application/json',
      },
    );
    return secretsAnswer.parse(await response.json()).secrets;
  }

  /** What the registry of a rank's image is shown, `username:password`. @throws ControlPlaneAway, SolyxError */
  async imageCredentials(attempt: { attemptId: string; rank: number; token: string }): Promise<string | null> {
    const { attemptId, rank, token } = attempt;
    const body = JSON.stringify({ token, rank, image: true });
    const path = `/v1/agent/attempts/${attemptId}/secrets`;
    const response = await this.#fetch('POST', path, body, { 'content-type': 'application/json' });
    const { imageCredentials } = secretsAnswer.parse(await response.json());
    return imageCredentials === null ? null : Buffer.from(imageCredentials, 'base64').toString('utf8');
  }

  async #fetch(
    method: string,
    path: string,
    body: string | Uint8Array | null = null,
    headers: Record<string, string> = {},
  ): Promise<Response> {
    const server = await resolveServer(this.#address);
    if (server === undefined) throw new ControlPlaneAway('nobody says where it is');
    let response: Response;
    try {
      response = await fetch(server + path, {
        method,
        body: body as string | Uint8Array<ArrayBuffer> | null,
        headers: { authorization: `Bearer ${this.#token}`, ...headers },
        signal: AbortSignal.timeout(typeof body === 'string' ? answerMs : transferMs),
        redirect: 'error',
      });
    } catch (cause) {
      // `fetch failed` alone helps nobody: the certificate, the name or the refusal behind it does.
      const { message, cause: behind } = cause as Error;
      throw new ControlPlaneAway(behind instanceof Error ? behind.message : message, cause);
    }
    if (response.ok) return response;
    const problem = (await response.json().catch(() => ({}))) as { code?: unknown; detail?: unknown };
    if (awayStatus.has(response.status)) throw new ControlPlaneAway(`it answered ${response.status}`);
    const detail =
      typeof problem.detail === 'string' ? problem.detail.slice(0, 1000) : `${method} answered ${response.status}.`;
    if (typeof problem.code === 'string' && problem.code in errorCodes) {
      throw new SolyxError(problem.code as Code, detail);
    }
    throw new SolyxError(response.status === 404 ? 'not_found' : 'internal', detail);
  }
}

function unlessMissing(error: unknown): undefined {
  if (error instanceof SolyxError && error.code === 'not_found') return undefined;
  throw error;
}
