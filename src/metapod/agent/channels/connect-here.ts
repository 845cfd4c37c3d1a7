/** A connection to a port of this network's loopback. */
import { connect, type Socket } from 'node:net';

/** IPv4 first: most servers that say "localhost" listen there, some only on the other. */
export async function connectHere(port: number): Promise<Socket> {
  try {
    return await tryConnect('127.0.0.1', port);
  } catch (error) {
    return tryConnect('::1', port).catch(() => {
      throw error;
    });
  }
}

function tryConnect(host: string, port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, allowHalfOpen: true });
    // Nothing is read before somebody is there to take it, or the first bytes of a server that speaks first were lost.
    socket.pause();
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      resolve(socket);
    });
  });
}
