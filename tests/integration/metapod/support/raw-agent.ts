/** A node that speaks the wire by hand, and can therefore lie. */
import { once } from 'node:events';
import { WebSocket } from 'ws';
import type { AgentMessage, GatewayMessage } from '../../../../src/common/contract/agent/protocol.ts';
import { until } from './fleet.ts';

type Hello = Extract<AgentMessage, { type: 'hello' }>;

export const hello = (changes: Partial<Hello> = {}): Hello => ({
  type: 'hello',
  protocol: 1,
  agentVersion: 'test',
  bootId: 'boot',
  inventory: {
    name: 'raw',
    cpuMilli: 4000,
    memoryBytes: 2 ** 32,
    diskBytes: 2 ** 32,
    isolation: ['process'],
    isolationMissing: {},
    hostNetwork: false,
    labels: {},
    facts: {},
    devices: [],
  },
  attempts: [],
  ...changes,
});

export class RawAgent {
  readonly socket: WebSocket;
  readonly received: GatewayMessage[] = [];
  closedWith: number | undefined;
  /** Status of a refused upgrade. */
  refusedWith: number | undefined;

  constructor(url: string, token: string) {
    this.socket = new WebSocket(`${url.replace('http', 'ws')}/v1/agent/connect`, {
      headers: { authorization: `Bearer ${token}` },
    });
    this.socket.on('message', (data: Buffer) => this.received.push(JSON.parse(data.toString('utf8'))));
    this.socket.on('close', (code) => {
      this.closedWith = code;
    });
    this.socket.on('unexpected-response', (_request, response) => {
      this.refusedWith = response.statusCode;
      this.closedWith = -1;
    });
    this.socket.on('error', () => {});
  }

  static async connected(url: string, token: string, changes: Partial<Hello> = {}): Promise<RawAgent> {
    const agent = new RawAgent(url, token);
    await once(agent.socket, 'open');
    agent.send(hello({ ...changes }));
    await agent.next('welcome');
    return agent;
  }

  send(message: AgentMessage | string | Buffer): void {
    this.socket.send(typeof message === 'string' || Buffer.isBuffer(message) ? message : JSON.stringify(message));
  }

  /** The first message of a type that was not taken yet. */
  async next<T extends GatewayMessage['type']>(type: T): Promise<Extract<GatewayMessage, { type: T }>> {
    return until(`a message ${type}`, async () => {
      const at = this.received.findIndex((message) => message.type === type);
      return at < 0 ? undefined : (this.received.splice(at, 1)[0] as Extract<GatewayMessage, { type: T }>);
    });
  }

  async closed(): Promise<number> {
    return until('the end of the socket', async () => this.closedWith);
  }
}
