/**
 * Where and how a server listens: over TLS, or plainly where nobody can listen in.
 *
 * Keys travel with every request, so a plain listener is for loopback. On any other address it is refused unless the operator says
 * that something in front ends TLS (`server.plainHttp`): an installation that was opened to the network by one word must not send
 * its admin key across it. A server with TLS also listens plainly on a loopback port of its own, for the command line and the agent
 * of the same machine, which have no use for a certificate in another name.
 */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { SolyxError } from '../errors/index.ts';
import type { TlsFiles } from './tls.ts';

const closeMs = 1_000;

export interface ListenSettings {
  readonly host: string;
  readonly tlsCertificate?: string | undefined;
  readonly tlsKey?: string | undefined;
  readonly plainHttp: boolean;
}

/**
 * The files to serve TLS by, or undefined for plain HTTP.
 * @throws config_invalid when only one is named, or plain HTTP would leave this machine
 */
export function tlsFilesOf(settings: ListenSettings): TlsFiles | undefined {
  const { host, tlsCertificate, tlsKey, plainHttp } = settings;
  if (tlsCertificate !== undefined && tlsKey !== undefined) return { certificate: tlsCertificate, key: tlsKey };
  if (tlsCertificate !== undefined || tlsKey !== undefined) {
    const at = tlsKey === undefined ? 'server.tlsKey' : 'server.tlsCertificate';
    const message = 'certificate and key go together';
    throw new SolyxError('config_invalid', { detail: `${at}: ${message}.`, issues: [{ at, message }] });
  }
  if (plainHttp || isLoopback(host)) return undefined;
  const message = `${host} is not loopback, and keys would cross the network unencrypted: set server.tlsCertificate and server.tlsKey, or server.plainHttp: true where something in front ends TLS`;
  throw new SolyxError('config_invalid', { detail: `${message}.`, issues: [{ at: 'server.host', message }] });
}

const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host) || /^::ffff:127(\.\d{1,3}){3}$/.test(host);

/** A plain listener on loopback that serves what `app` serves, on a port of the system's choice. */
export async function listenLocally(app: FastifyInstance): Promise<{ url: string; close(): Promise<void> }> {
  const server: Server = createServer((request, response) => app.routing(request as never, response as never));
  server.headersTimeout = app.server.headersTimeout;
  server.requestTimeout = app.server.requestTimeout;
  server.keepAliveTimeout = app.server.keepAliveTimeout;
  server.on('upgrade', (request, socket, head) => app.server.emit('upgrade', request, socket, head));
  server.on('clientError', (_error, socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: '127.0.0.1', port: 0 }, resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    // Requests get a moment to end; sockets that were upgraded are their takers' to close.
    close: () =>
      new Promise<void>((resolve) => {
        const cut = setTimeout(() => {
          server.closeAllConnections();
          resolve();
        }, closeMs);
        server.close(() => {
          clearTimeout(cut);
          resolve();
        });
        server.closeIdleConnections();
      }),
  };
}
