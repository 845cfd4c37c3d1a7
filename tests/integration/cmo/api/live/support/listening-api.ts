/** The API of the harness, listening, with raw live clients that tests can look into. */
import type { AddressInfo } from 'node:net';
import { WebSocket } from 'ws';
import type { ClientMessage, ServerMessage } from '../../../../../../src/common/contract/live.ts';
import { liveProtocol, ticketProtocolPrefix } from '../../../../../../src/common/contract/live.ts';
import { until } from '../../../../../support/until.ts';
import { startApi, type TestApi } from '../../harness.ts';

export interface ListeningApi extends TestApi {
  readonly origin: string;
  ticket(key: string, body?: object): Promise<string>;
  /** Opens a live socket by a ticket of the key. */
  live(key: string): Promise<RawLive>;
}

export async function startListeningApi(options: Parameters<typeof startApi>[0] = {}): Promise<ListeningApi> {
  const api = await startApi(options);
  await api.app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = api.app.server.address() as AddressInfo;
  const origin = `http://127.0.0.1:${port}`;
  const ticket = async (key: string, body: object = {}) => {
    const answer = await api.ask(key, 'POST', '/v1/live/tickets', body);
    if (answer.status !== 201) throw new Error(`no ticket: ${answer.text}`);
    return answer.json.ticket as string;
  };
  return {
    ...api,
    origin,
    ticket,
    live: async (key) => {
      const live = new RawLive(origin, [liveProtocol, ticketProtocolPrefix + (await ticket(key))]);
      await live.opened;
      return live;
    },
  };
}

/** A live socket that remembers everything. */
export class RawLive {
  readonly socket: WebSocket;
  readonly received: ServerMessage[] = [];
  /** Rejects with the status of a refused upgrade. */
  readonly opened: Promise<void>;
  closed: { code: number } | undefined;

  constructor(origin: string, protocols: string[], headers: Record<string, string> = {}) {
    this.socket = new WebSocket(`${origin.replace('http', 'ws')}/v1/live`, protocols, { headers });
    this.opened = new Promise((resolve, reject) => {
      this.socket.once('open', () => resolve());
      this.socket.once('unexpected-response', (_request, response) => {
        reject(new Error(`refused with ${response.statusCode}`));
        this.socket.terminate();
      });
      this.socket.once('error', reject);
    });
    this.opened.catch(() => {});
    this.socket.on('message', (data) => this.received.push(JSON.parse(String(data))));
    this.socket.once('close', (code) => {
      this.closed = { code };
    });
  }

  say(message: ClientMessage): void {
    this.socket.send(JSON.stringify(message));
  }

  /** Messages of a subscription. */
  of(id: string): ServerMessage[] {
    return this.received.filter((message) => 'id' in message && message.id === id);
  }

  /** Waits for a message of a subscription that satisfies `is`, after the first `after` of them. */
  async next(
    id: string,
    what: string,
    // biome-ignore lint/suspicious/noExplicitAny: tests look into data of every shape
    is: (message: any) => boolean,
    after = 0,
    // biome-ignore lint/suspicious/noExplicitAny: tests look into data of every shape
  ): Promise<any> {
    return until(`${id}: ${what}`, () => this.of(id).slice(after).find(is));
  }

  close(): void {
    this.socket.terminate();
  }
}
