/**
 * WebSockets for people and programs: who may open one, and when it ends. Whatever speaks over a socket of the API (live
 * updates, a shell, a forwarded port) comes in here.
 *
 * A ticket in Sec-WebSocket-Protocol, or an API key in Authorization for programs; nothing in the URL, and no cookie, since a
 * browser would add that to any page's socket. A page's origin must be our own all the same. The socket has the rights of its key,
 * and is closed within a second of their change.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import { type WebSocket, WebSocketServer } from 'ws';
import { liveCloseCodes, type TicketPurpose } from '../../../common/contract/live.ts';
import type { Role } from '../../../common/contract/routes/index.ts';
import type { TicketAbout } from '../../../common/contract/routes/live.ts';
import { SolyxError } from '../../../common/errors/index.ts';
import { admit, asSolyxError, type Principal, refuseForeignOrigin, requireAccess } from '../../../common/http/index.ts';
import { onUpgrade, refuseUpgrade } from '../../../common/http/upgrades.ts';
import { readPrincipals } from '../access/authenticator.ts';
import type { ApiDeps } from '../deps.ts';
import { RightsWatch } from './rights.ts';
import { offeredTicket, takeTicket } from './tickets.ts';

export interface SocketRoute {
  readonly path: string;
  /** Subprotocol that is spoken on it. */
  readonly protocol: string;
  readonly purpose: TicketPurpose;
  readonly role: Role;
  /** Longest message of a client, bytes. */
  readonly mostMessageBytes: number;
  /** Takes an open socket. With an API key instead of a ticket `about` is empty. */
  open(opened: OpenedSocket): void;
}

export interface OpenedSocket {
  readonly socket: WebSocket;
  /** The connection below it. Whole frames may be written to it beside the socket's own, which are never compressed or kept back. */
  readonly stream: Duplex;
  readonly principal: Principal;
  readonly about: TicketAbout;
  readonly request: IncomingMessage;
}

/** Most sockets of one key and of one process. */
const mostOfKey = 500;
const mostOfProcess = 20_000;
/** A peer that does not answer a close is cut off after this, ms. */
const closeGraceMs = 2_000;

/** What the sockets of one server have in common. */
interface Host {
  readonly rights: RightsWatch;
  /** Sockets by key id. */
  readonly open: Map<string, number>;
}

const hosts = new WeakMap<object, Host>();

/** Serves WebSockets on a path; call it before `listen`. */
export function serveSockets(app: FastifyInstance, deps: ApiDeps, route: SocketRoute): void {
  const host = hostOf(app, deps);
  const server = new WebSocketServer({
    noServer: true,
    maxPayload: route.mostMessageBytes,
    perMessageDeflate: false,
    handleProtocols: (offered) => (offered.has(route.protocol) ? route.protocol : false),
  });

  const take = async (request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> => {
    const opened = await enter(app, deps, host, route, request);
    if (app.stopping.aborted) return refuseUpgrade(socket, 503, 'Service Unavailable');
    server.handleUpgrade(request, socket, head, (webSocket) => {
      hold(webSocket, opened.principal, host);
      route.open({ ...opened, socket: webSocket, stream: socket, request });
    });
  };

  onUpgrade(app, route.path, (request, socket, head) => {
    if (app.stopping.aborted) return refuseUpgrade(socket, 503, 'Service Unavailable');
    if (server.clients.size >= mostOfProcess) return refuseUpgrade(socket, 503, 'Service Unavailable');
    take(request, socket, head).catch((error) => {
      const { status, code } = asSolyxError(error);
      if (status >= 500) deps.logger.warn({ err: error, path: route.path }, 'a socket could not be opened');
      refuseUpgrade(socket, status, code);
    });
  });
  // An open socket is no request that ends: the server would wait for it.
  app.addHook('preClose', async () => {
    for (const socket of server.clients) end(socket, 1012, 'restarting');
    server.close();
    await host.rights.stop();
  });
}

/** Who opens the socket. @throws unauthenticated, key_revoked, forbidden, cross_origin, rate_limited */
async function enter(
  app: FastifyInstance,
  deps: ApiDeps,
  host: Host,
  route: SocketRoute,
  request: IncomingMessage,
): Promise<{ principal: Principal; about: TicketAbout }> {
  refuseForeignOrigin(request, app.publicOrigin);
  const ticket = offeredTicket(request.headers['sec-websocket-protocol']);
  const found =
    ticket === undefined
      ? { principal: await admitKey(app, request), about: {} }
      : await admitTicket(app, deps, route, ticket, addressOf(request));
  requireAccess(found.principal, { role: route.role });
  if ((host.open.get(found.principal.keyId) ?? 0) >= mostOfKey) throw new SolyxError('rate_limited');
  return found;
}

function admitKey(app: FastifyInstance, request: IncomingMessage): Promise<Principal> {
  if (request.headers.authorization === undefined) throw new SolyxError('unauthenticated');
  return admit(app, request, addressOf(request));
}

async function admitTicket(
  app: FastifyInstance,
  { db }: ApiDeps,
  route: SocketRoute,
  text: string,
  address: string,
): Promise<{ principal: Principal; about: TicketAbout }> {
  return app.limits.gate.pass(address, undefined, async () => {
    const ticket = text.length > 64 ? undefined : await takeTicket(db.system, text, route.purpose);
    const principal = ticket && (await readPrincipals(db.system, [ticket.keyId])).get(ticket.keyId);
    if (!ticket || !principal) throw new SolyxError('unauthenticated');
    return { principal, about: ticket.about };
  });
}

const addressOf = (request: IncomingMessage): string => request.socket.remoteAddress ?? '';

function hostOf(app: FastifyInstance, deps: ApiDeps): Host {
  const known = hosts.get(app.server);
  if (known) return known;
  const made: Host = { rights: new RightsWatch(deps), open: new Map() };
  hosts.set(app.server, made);
  return made;
}

/** Counts the socket, and closes it when its key loses its rights. */
function hold(socket: WebSocket, principal: Principal, { rights, open }: Host): void {
  const { keyId } = principal;
  open.set(keyId, (open.get(keyId) ?? 0) + 1);
  const stopWatching = rights.watch(principal, () => end(socket, liveCloseCodes.access, 'access'));
  socket.on('error', () => socket.terminate());
  socket.once('close', () => {
    stopWatching();
    const left = (open.get(keyId) ?? 1) - 1;
    if (left > 0) open.set(keyId, left);
    else open.delete(keyId);
  });
}

/** Closes a socket; a peer that does not answer is cut off. */
export function end(socket: WebSocket, code: number, why: string): void {
  socket.close(code, why);
  setTimeout(() => socket.terminate(), closeGraceMs).unref();
}
