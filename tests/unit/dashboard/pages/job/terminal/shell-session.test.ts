/** The browser's end of a shell against the server's frames, over a socket that the test holds. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as browser from '../../../../../../dashboard/src/pages/job/terminal/frames.ts';
import { type ShellEnd, ShellSession } from '../../../../../../dashboard/src/pages/job/terminal/shell-session.ts';
import { describeEnd } from '../../../../../../dashboard/src/pages/job/terminal/words.ts';
import * as server from '../../../../../../src/common/channels/index.ts';
import { execStart } from '../../../../../../src/common/contract/channels.ts';
import { until } from '../../../../../support/until.ts';

/** What the session uses of a WebSocket. */
class HeldSocket {
  binaryType = '';
  readyState = 0;
  closedWith: number | undefined;
  readonly sent: NonNullable<ReturnType<typeof server.decodeFrame>>[] = [];
  onopen: () => void = () => {};
  onmessage: (event: { data: ArrayBuffer }) => void = () => {};
  onclose: () => void = () => {};
  readonly url: string;
  readonly protocols: string[];

  constructor(url: string, protocols: string[]) {
    this.url = url;
    this.protocols = protocols;
  }

  send(bytes: Uint8Array): void {
    this.sent.push(server.decodeFrame(Buffer.from(bytes))!);
  }

  close(code: number): void {
    this.closedWith = code;
  }

  open(): void {
    this.readyState = WebSocket.OPEN;
    this.onopen();
  }

  say(frame: Buffer): void {
    this.onmessage({ data: new Uint8Array(frame).buffer });
  }
}

const kept = globalThis.location;
beforeEach(() => {
  (globalThis as { location?: unknown }).location = { protocol: 'https:', host: 'console.example' };
});
afterEach(() => {
  (globalThis as { location?: unknown }).location = kept;
});

async function openSession(ticket = async () => 'ticket') {
  const sockets: HeldSocket[] = [];
  const shown: { bytes: Uint8Array; done: () => void }[] = [];
  const ends: ShellEnd[] = [];
  const session = new ShellSession({
    jobId: 'job_1',
    rank: 2,
    size: { columns: 80, rows: 24 },
    ticket,
    onOpen: () => {},
    onOutput: (bytes, done) => shown.push({ bytes, done }),
    onEnd: (end) => ends.push(end),
    connect: (url, protocols) => {
      const socket = new HeldSocket(url, protocols);
      sockets.push(socket);
      return socket as unknown as WebSocket;
    },
  });
  await until('it has tried', () => sockets.length > 0 || ends.length > 0);
  return { session, socket: sockets[0]!, shown, ends };
}

const control = (message: object) => server.encodeJson(server.frameTypes.control, 0, message);
const dataOf = (socket: HeldSocket) =>
  Buffer.concat(socket.sent.filter(({ type }) => type === server.frameTypes.data).map(({ payload }) => payload));

describe('frames of the page', () => {
  it('are byte for byte those of the server', () => {
    expect(browser.frameTypes).toEqual(server.frameTypes);
    expect(browser.windowBytes).toBe(server.windowBytes);
    expect(browser.mostDataBytes).toBe(server.mostDataBytes);
    const payload = Buffer.from('payload');
    expect(Buffer.from(browser.encodeFrame(1, 4_000_000_000, payload))).toEqual(
      server.encodeFrame(1, 4_000_000_000, payload),
    );
    expect(server.decodeFrame(Buffer.from(browser.encodeCredit(2, 70_000)))!.payload.readUInt32BE()).toBe(70_000);
    expect(browser.decodeFrame(new Uint8Array(server.encodeFrame(3, 2)).buffer)).toMatchObject({ type: 3, stream: 2 });
    expect(browser.decodeFrame(new ArrayBuffer(4))).toBeUndefined();
  });
});

describe('a shell session', () => {
  it('shows its ticket beside the protocol, never in the address, and starts as the server expects', async () => {
    const { socket } = await openSession();
    expect(socket.url).toBe('wss://console.example/v1/jobs/job_1/exec');
    expect(socket.protocols).toEqual(['solyx.channel.v1', 'solyx.ticket.ticket']);
    socket.open();
    const start = execStart.parse(JSON.parse(socket.sent[0]!.payload.toString()));
    expect(start).toMatchObject({ rank: 2, command: [], stdin: true, terminal: { columns: 80, rows: 24 } });
  });

  it('sends what was typed before it was open, in order, and no more than it has credit for', async () => {
    const { session, socket } = await openSession();
    session.type('early ');
    socket.open();
    session.type('x'.repeat(browser.windowBytes));
    expect(dataOf(socket).length).toBe(browser.windowBytes);
    socket.say(server.encodeFrame(server.frameTypes.credit, 1, Buffer.from([0, 0, 0, 200])));
    expect(dataOf(socket).toString()).toBe(`early ${'x'.repeat(browser.windowBytes)}`);
    expect(session.type('y'.repeat(5_000_000))).toBe(false);
  });

  it('gives credit back for what was drawn, not for what came', async () => {
    const { socket, shown } = await openSession();
    socket.open();
    for (let n = 0; n < 2; n += 1)
      socket.say(server.encodeFrame(server.frameTypes.data, 2, Buffer.alloc(server.mostDataBytes)));
    const credits = () => socket.sent.filter(({ type }) => type === server.frameTypes.credit);
    expect(credits()).toEqual([]);
    for (const { done } of shown) done();
    expect(credits().reduce((sum, { payload }) => sum + payload.readUInt32BE(), 0)).toBe(2 * server.mostDataBytes);
  });

  it('ends once, by what the server said, or lost without a word', async () => {
    const said = await openSession();
    said.socket.open();
    said.socket.say(control({ type: 'exit', code: 3, signal: null }));
    said.socket.onclose();
    said.socket.onclose();
    expect(said.ends).toEqual([{ kind: 'exit', code: 3, signal: null }]);
    const lost = await openSession();
    lost.socket.open();
    lost.socket.onclose();
    expect(lost.ends).toMatchObject([{ kind: 'broken', code: 'lost' }]);
    const refused = await openSession(async () => {
      throw new Error('no ticket for you');
    });
    expect(refused.ends).toMatchObject([{ kind: 'broken', detail: 'no ticket for you' }]);
  });

  it('takes hostile frames for nothing', async () => {
    const { socket, ends, shown } = await openSession();
    socket.open();
    for (const frame of [
      Buffer.alloc(2),
      Buffer.from([9, 0, 0, 0, 0]),
      server.encodeFrame(server.frameTypes.control, 0, Buffer.from('{')),
      server.encodeFrame(server.frameTypes.credit, 1, Buffer.alloc(3)),
      server.encodeFrame(server.frameTypes.data, 77, Buffer.from('elsewhere')),
    ]) {
      socket.say(frame);
    }
    expect({ ends, shown }).toEqual({ ends: [], shown: [] });
  });

  it('says how it ended without promising anything', () => {
    expect(describeEnd({ kind: 'broken', code: 'lost', detail: '' })).toMatch(/ended with it\. The job goes on/);
    expect(describeEnd({ kind: 'exit', code: 0, signal: null })).toContain('exit code 0');
    expect(describeEnd({ kind: 'broken', code: 'unheard-of', detail: 'Some detail.' })).toContain('Some detail.');
  });
});
