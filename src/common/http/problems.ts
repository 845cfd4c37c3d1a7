/**
 * Every error as RFC 9457 problem+json, whoever threw it: our own, the framework's, the database's, a bug.
 *
 * What a client did wrong is said exactly; what broke inside is logged with the request id and answered without detail,
 * since messages of drivers name paths and hosts.
 */
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { toSolyxError } from '../database/failures.ts';
import { type Code, errorCodes, SolyxError, toProblem } from '../errors/index.ts';
import { ValidationFailure } from './validation.ts';

const frameworkCodes: Readonly<Record<string, Code>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'body_too_large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported_media_type',
  FST_ERR_NOT_FOUND: 'route_not_found',
};

/** The error to show for anything thrown while a request was served. `bodyCode` is the route's own for bad bodies. */
export function asSolyxError(error: unknown, bodyCode: Code = 'invalid_body'): SolyxError {
  if (error instanceof SolyxError) return withoutInternals(error);
  if (error instanceof ValidationFailure) {
    if (error.validationContext === 'params') return new SolyxError('not_found', formOf(error.issues));
    const code = error.validationContext === 'body' ? bodyCode : 'invalid_query';
    return new SolyxError(code, { issues: error.issues });
  }
  if (mayBeOfDatabase(error)) {
    const fromDatabase = toSolyxError(error);
    if (fromDatabase instanceof SolyxError) return withoutInternals(fromDatabase);
  }
  const { code, statusCode, message } = error as Partial<FastifyError>;
  const known = code === undefined ? undefined : frameworkCodes[code];
  if (known) return new SolyxError(known);
  if (code === 'FST_ERR_CTP_INVALID_JSON_BODY') {
    const detail = 'The body is not valid JSON, or has a field called __proto__ or constructor.prototype.';
    return new SolyxError('bad_request', { detail, cause: error });
  }
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    return new SolyxError('bad_request', { detail: message?.slice(0, 500), cause: error });
  }
  return new SolyxError('internal', { cause: error });
}

/** What in the path can name nothing. Of an id no more is to be said; a name is people's own, and has rules. */
function formOf(issues: ValidationFailure['issues']): string {
  const ofName = issues.find(({ at }) => at.endsWith('name'));
  return ofName === undefined ? 'The id has not the form of one.' : `The name cannot be one: ${ofName.message}.`;
}

/** The driver's socket errors look like those of files and of clients that hang up. */
function mayBeOfDatabase(error: unknown): boolean {
  return error instanceof Error && !('path' in error) && error.message !== 'aborted';
}

function withoutInternals(error: SolyxError): SolyxError {
  const fromDriver = error.cause instanceof Error && error.detail === error.cause.message;
  if (error.status < 500 || !fromDriver) return error;
  return new SolyxError(error.code, { cause: error.cause, retryAfterSeconds: error.retryAfterSeconds });
}

/** What reading and writing say when the other side has left. */
const leavingCodes = new Set(['ECONNRESET', 'EPIPE', 'ERR_STREAM_PREMATURE_CLOSE']);

/** Whether it is nothing but a client that left in the middle of its request or of our answer. */
function isOfLeaving(reply: FastifyReply, { cause }: SolyxError): boolean {
  const { code } = (cause ?? {}) as NodeJS.ErrnoException;
  const left = reply.raw.destroyed || reply.request.raw.destroyed;
  return left && code !== undefined && leavingCodes.has(code);
}

/** Answers with a problem; logs what is ours to mend. An answer that has begun is cut off: its head can say nothing else any more. */
export function sendProblem(request: FastifyRequest, reply: FastifyReply, error: SolyxError): FastifyReply {
  if (error.status >= 500 && !isOfLeaving(reply, error)) {
    const level = error.code === 'internal' ? 'error' : 'warn';
    request.log[level]({ err: error.cause ?? error, code: error.code, requestId: request.id }, 'request failed');
  }
  if (reply.raw.headersSent || reply.raw.destroyed) {
    reply.raw.destroy();
    return reply;
  }
  const retryAfter = error.retryAfterSeconds ?? (error.status === 503 || error.status === 429 ? 1 : undefined);
  if (retryAfter !== undefined) reply.header('retry-after', String(Math.max(1, Math.ceil(retryAfter))));
  if (error.status === 401) reply.header('www-authenticate', 'Bearer realm="solyx"');
  return reply
    .code(error.status)
    .header('content-type', 'application/problem+json; charset=utf-8')
    .serializer(JSON.stringify)
    .send(toProblem(error, request.id));
}

/** Says that a stream broke after the head of its answer was sent; the answer itself is cut off by the framework, without a word. */
export function noteBrokenStream(request: FastifyRequest, reply: FastifyReply, broken: Error): void {
  const error = asSolyxError(broken);
  if (!reply.raw.headersSent || error.status < 500 || isOfLeaving(reply, error)) return;
  request.log.warn({ err: error.cause ?? error, code: error.code, requestId: request.id }, 'answer broke off');
}

/** A whole HTTP answer for bytes that were not HTTP enough to become a request. */
export function rawProblem(code: Code): string {
  const body = JSON.stringify(toProblem(new SolyxError(code)));
  return `HTTP/1.1 ${errorCodes[code].status} Bad Request\r\ncontent-type: application/problem+json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`;
}
