import { connect } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { RankReport } from '../../../src/common/contract/agent/protocol.ts';
import { maxFrameBytes, protocolVersion } from '../../../src/common/contract/agent/protocol.ts';
import { withClient } from '../../../src/common/database/connection.ts';
import { withSystem } from '../../../src/common/database/index.ts';
import { makeKey } from '../../../src/common/keys.ts';
import { readLogLines } from '../../../src/metapod/gateway/index.ts';
import { Fleet, type PlacedRank, until } from './support/fleet.ts';
import type { StartedGateway } from './support/gateway.ts';
import { hello, RawAgent } from './support/raw-agent.ts';

let fleet: Fleet;
let gateway: StartedGateway;
let node: { nodeId: string; token: string };
beforeAll(async () => {
  fleet = await Fleet.create();
  gateway = await fleet.startGateway({ timings: { helloMs: 400, pingMs: 200, idleMs: 600 } });
});
afterAll(() => fleet.close());
beforeEach(async () => {
  node = await fleet.makeNode();
});

const agentOf = (of: { nodeId: string; token: string }, changes = {}) =>
  RawAgent.connected(gateway.url, of.token, { inventory: { ...hello().inventory, name: of.nodeId }, ...changes });

const report = (placed: PlacedRank, changes: Partial<RankReport> = {}): RankReport => ({
  attemptId: placed.attemptId,
  rank: 0,
  token: String(placed.token),
  state: 'running',
  at: new Date().toISOString(),
  ...changes,
});
const lines = (first: number, count: number, text = 'x') =>
  Array.from(
    { length: count },
    (_, index) => `${JSON.stringify({ n: first + index, t: 1, s: 'out', d: text })}\n`,
  ).join('');
const logs = (placed: PlacedRank, firstLine: number, lineCount: number, changes = {}) => ({
  type: 'logs' as const,
  attemptId: placed.attemptId,
  rank: 0,
  token: String(placed.token),
  firstLine,
  lineCount,
  lines: lines(firstLine, lineCount),
  complete: false,
  ...changes,
});

describe('who may connect', () => {
  it('nobody without a node token', async () => {
    for (const token of ['', 'nonsense', makeKey('node').text, makeKey('api').text, await fleet.joinToken()]) {
      const agent = new RawAgent(gateway.url, token);
      await agent.closed();
      expect(agent.refusedWith).toBe(401);
    }
  });

  it('a revoked token is told that it is revoked, at once and in the middle of a session', async () => {
    const agent = await agentOf(node);
    await fleet.db.system.query('update cmo_api_keys set revoked_at = now() where node_id = $1', [node.nodeId]);
    gateway.wake.wake('keys');
    expect(await agent.closed()).toBe(4401);
    const again = new RawAgent(gateway.url, node.token);
    expect(await again.closed()).toBe(4401);
  });

  it('the second session of a node replaces the first', async () => {
    const first = await agentOf(node);
    const second = await agentOf(node);
    expect(await first.closed()).toBe(4409);
    expect(second.closedWith).toBeUndefined();
    const { rows } = await fleet.db.system.query('select gateway_id from metapod_sessions where node_id = $1', [
      node.nodeId,
    ]);
    expect(rows).toHaveLength(1);
  });

  it('an agent of an unknown protocol version is refused with a code', async () => {
    for (const protocol of [0, protocolVersion + 1, 99]) {
      const agent = new RawAgent(gateway.url, node.token);
      await new Promise((resolve) => agent.socket.once('open', resolve));
      agent.send(hello({ protocol }));
      expect((await agent.next('error')).code).toBe('protocol_unsupported');
      expect(await agent.closed()).toBe(4400);
    }
  });
});

describe('a hostile or broken socket', () => {
  it.each([
    ['no JSON', 'nonsense'],
    ['a wrong shape', '{"type":"heartbeat","seq":-1}'],
    ['an unknown type', '{"type":"sudo"}'],
    ['a binary frame', Buffer.from([0, 1, 2])],
    ['a second hello', JSON.stringify(hello())],
    ['a null', 'null'],
  ])('that sends %s is cut off, and others are not', async (_, frame) => {
    const other = await agentOf(await fleet.makeNode());
    const agent = await agentOf(node);
    agent.send(frame);
    expect(await agent.closed()).toBe(4400);
    other.send({ type: 'heartbeat', seq: 1 });
    expect((await other.next('heartbeatAck')).seq).toBe(1);
  });

  it('that puts NUL into its heartbeat does not keep other nodes from being heard', async () => {
    const other = await agentOf(await fleet.makeNode());
    const agent = await agentOf(node);
    agent.send({ type: 'heartbeat', seq: 7, samples: [{ subject: '\0', data: { '\0\ud800': 1 } }] });
    other.send({ type: 'heartbeat', seq: 1 });
    expect((await other.next('heartbeatAck')).seq).toBe(1);
    expect((await agent.next('heartbeatAck')).seq).toBe(7);
  });

  it('that sends a frame too large is told so; one far too large is not even read', async () => {
    const agent = await agentOf(node);
    agent.send('x'.repeat(maxFrameBytes + 1));
    expect(await agent.closed()).toBe(4413);
    const worse = await agentOf(node);
    worse.send('x'.repeat(4 * maxFrameBytes));
    expect([1006, 1009]).toContain(await worse.closed());
  });

  it('that never says hello is closed', async () => {
    const agent = new RawAgent(gateway.url, node.token);
    expect(await agent.closed()).toBe(4400);
  });

  it('that talks before its hello is closed', async () => {
    const agent = new RawAgent(gateway.url, node.token);
    await new Promise((resolve) => agent.socket.once('open', resolve));
    agent.send({ type: 'heartbeat', seq: 0 });
    expect(await agent.closed()).toBe(4400);
  });

  it('that is half open is given up, and the node can come again', async () => {
    const socket = connect(gateway.port, '127.0.0.1');
    socket.write(
      `GET /v1/agent/connect HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${Buffer.alloc(16).toString('base64')}\r\nAuthorization: Bearer ${node.token}\r\n\r\n`,
    );
    const text = Buffer.from(JSON.stringify(hello({ inventory: { ...hello().inventory, name: node.nodeId } })));
    const header = Buffer.from([0x81, 0xfe, text.length >> 8, text.length & 255, 0, 0, 0, 0]);
    socket.once('data', () => socket.write(Buffer.concat([header, text])));
    await until('its session', async () => gateway.gateway.connectedNodes().includes(node.nodeId));
    // From now on it answers no ping, as a machine that lost its power.
    await until('its end', async () => !gateway.gateway.connectedNodes().includes(node.nodeId));
    socket.destroy();
    await agentOf(node);
  });
});

describe('reports', () => {
  it('are kept once, however often they are sent, and acknowledged cumulatively', async () => {
    const placed = await fleet.place(node.nodeId);
    const agent = await agentOf(node);
    const frame = (seq: number, items: RankReport[]) => agent.send({ type: 'reports', journal: 'j', seq, items });
    frame(0, [report(placed, { state: 'starting' })]);
    expect(await agent.next('reportsAck')).toMatchObject({ journal: 'j', next: 1 });
    frame(0, [report(placed, { state: 'starting' }), report(placed)]);
    expect(await agent.next('reportsAck')).toMatchObject({ journal: 'j', next: 2 });
    const again = await agentOf(node);
    again.send({ type: 'reports', journal: 'j', seq: 1, items: [report(placed)] });
    await again.next('reportsAck');
    expect((await fleet.reports(placed)).map((item) => item.state)).toEqual(['starting', 'running']);
  });

  it('of other nodes’ ranks, of unknown attempts or under another token are acknowledged and thrown away', async () => {
    const mine = await fleet.place(node.nodeId);
    const foreign = await fleet.place((await fleet.makeNode()).nodeId);
    const agent = await agentOf(node);
    const items = [
      report(foreign),
      report(mine, { token: String(mine.token + 1n) }),
      report(mine, { rank: 1 }),
      report({ ...mine, attemptId: 'att_unknown' }),
      report(mine),
    ];
    agent.send({ type: 'reports', journal: 'j', seq: 0, items });
    expect((await agent.next('reportsAck')).next).toBe(5);
    expect(await fleet.reports(foreign)).toEqual([]);
    expect(await fleet.reports(mine)).toHaveLength(1);
  });

  it('with NUL and broken characters are stored without them', async () => {
    const placed = await fleet.place(node.nodeId);
    const agent = await agentOf(node);
    const end = { reason: 'exited' as const, exitCode: 1, signal: null, message: 'a\0b\ud800c' };
    agent.send({ type: 'reports', journal: 'j', seq: 0, items: [report(placed, { state: 'ended', end })] });
    await agent.next('reportsAck');
    expect((await fleet.reports(placed))[0]?.end?.message).toBe('ab\ufffdc');
  });

  it('of the end are made for ranks that the node had started and no longer knows', async () => {
    const placed = await fleet.place(node.nodeId);
    await fleet.command(node.nodeId, placed, 'start', {});
    await fleet.db.system.query('update metapod_commands set acked_at = now() where attempt_id = $1', [
      placed.attemptId,
    ]);
    await agentOf(node);
    await agentOf(node);
    const reports = await fleet.reports(placed);
    expect(reports.map((item) => item.end?.reason)).toEqual(['supervisor-lost']);
  });
});

describe('logs', () => {
  const stored = async (placed: PlacedRank) =>
    (await readLogLines(fleet.db.system, placed.attemptId, 0, 0, 1000)).lines;

  it('are appended in sequence: overlaps are cut, gaps answered with the line that is wanted', async () => {
    const placed = await fleet.place(node.nodeId);
    const agent = await agentOf(node);
    agent.send(logs(placed, 0, 3));
    expect((await agent.next('logsAck')).nextLine).toBe(3);
    agent.send(logs(placed, 1, 4));
    expect((await agent.next('logsAck')).nextLine).toBe(5);
    agent.send(logs(placed, 9, 1));
    expect((await agent.next('logsAck')).nextLine).toBe(5);
    agent.send(logs(placed, 5, 1, { complete: true }));
    expect((await agent.next('logsAck')).nextLine).toBe(6);
    expect((await stored(placed)).map((line) => line.n)).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it('can be read in pages from any line', async () => {
    const placed = await fleet.place(node.nodeId);
    const agent = await agentOf(node);
    agent.send(logs(placed, 0, 10));
    agent.send(logs(placed, 10, 10));
    agent.send(logs(placed, 20, 5, { complete: true }));
    await until('all', async () => (await stored(placed)).length === 25);
    const page = (from: number, limit: number) => readLogLines(fleet.db.system, placed.attemptId, 0, from, limit);
    expect((await page(7, 5)).lines.map((line) => line.n)).toEqual([7, 8, 9, 10, 11]);
    expect(await page(24, 5)).toMatchObject({ nextLine: 25, complete: true });
    expect(await page(25, 5)).toMatchObject({ lines: [], nextLine: 25, complete: true });
    expect(await page(0, 24)).toMatchObject({ nextLine: 24, complete: false });
    expect(await readLogLines(fleet.db.system, placed.attemptId, 1, 0, 5)).toMatchObject({
      lines: [],
      complete: false,
    });
  });

  it('of foreign attempts or under another token are refused for good', async () => {
    const foreign = await fleet.place((await fleet.makeNode()).nodeId);
    const mine = await fleet.place(node.nodeId);
    const agent = await agentOf(node);
    agent.send(logs(foreign, 0, 1));
    expect(await agent.next('logsAck')).toMatchObject({ refused: true });
    agent.send(logs(mine, 0, 1, { token: String(mine.token + 1n) }));
    expect(await agent.next('logsAck')).toMatchObject({ refused: true });
    expect(await stored(foreign)).toEqual([]);
  });

  it('that are not what they say end the session', async () => {
    const placed = await fleet.place(node.nodeId);
    const agent = await agentOf(node);
    agent.send(logs(placed, 0, 2, { lineCount: 3 }));
    expect(await agent.closed()).toBe(4400);
  });

  it('come in once also over two gateways at the same time', async () => {
    const placed = await fleet.place(node.nodeId);
    const other = await fleet.startGateway();
    const first = await agentOf(node);
    const second = await RawAgent.connected(other.url, node.token, {
      inventory: { ...hello().inventory, name: node.nodeId },
    });
    for (let line = 0; line < 20; line += 2) {
      first.send(logs(placed, line, 4));
      second.send(logs(placed, line, 2));
    }
    await until('all lines', async () => (await stored(placed)).length >= 20);
    const numbers = (await stored(placed)).map((line) => line.n);
    expect(numbers).toEqual(numbers.map((_, index) => index));
    expect(await first.closed()).toBe(4409);
  });
});

describe('commands', () => {
  it('are sent in order, again after a reconnect, and not again once acknowledged', async () => {
    const placed = await fleet.place(node.nodeId);
    await fleet.command(node.nodeId, placed, 'start', { a: 1 });
    await fleet.command(node.nodeId, placed, 'stop', { why: 'x', graceSeconds: 1 });
    const first = await agentOf(node);
    const start = await first.next('command');
    expect([start.kind, (await first.next('command')).kind]).toEqual(['start', 'stop']);
    first.send({ type: 'commandAck', id: start.id, result: 'done' });
    await until('the acknowledgement', async () => {
      const { rows } = await fleet.db.system.query(
        'select 1 from metapod_commands where id = $1 and acked_at is not null',
        [start.id],
      );
      return rows.length === 1;
    });
    const second = await agentOf(node);
    expect((await second.next('command')).kind).toBe('stop');
  });

  it('a start whose acknowledgement was lost never comes after the forget, which covers it', async () => {
    const placed = await fleet.place(node.nodeId);
    await fleet.command(node.nodeId, placed, 'start', { a: 1 });
    await fleet.command(node.nodeId, placed, 'forget', {});
    const agent = await agentOf(node);
    const forget = await agent.next('command');
    expect(forget).toMatchObject({ kind: 'forget', attemptId: placed.attemptId });
    agent.send({ type: 'commandAck', id: forget.id, result: 'done' });
    await until('both are acknowledged', async () => {
      const { rows } = await fleet.db.system.query(
        'select 1 from metapod_commands where attempt_id = $1 and acked_at is null',
        [placed.attemptId],
      );
      return rows.length === 0;
    });
  });

  it('of another node cannot be acknowledged', async () => {
    const other = await fleet.makeNode();
    const placed = await fleet.place(other.nodeId);
    await fleet.command(other.nodeId, placed, 'start', {});
    const { rows } = await fleet.db.system.query<{ id: bigint }>(
      'select id from metapod_commands where attempt_id = $1',
      [placed.attemptId],
    );
    const agent = await agentOf(node);
    agent.send({ type: 'commandAck', id: String(rows[0]!.id), result: 'done' });
    agent.send({ type: 'heartbeat', seq: 1 });
    await agent.next('heartbeatAck');
    const victim = await agentOf(other);
    expect((await victim.next('command')).id).toBe(String(rows[0]!.id));
  });
});

describe('stopping a gateway', () => {
  it('sends its nodes away politely and gives up their sessions', async () => {
    const stopping = await fleet.startGateway();
    const agent = await RawAgent.connected(stopping.url, node.token, {
      inventory: { ...hello().inventory, name: node.nodeId },
    });
    await stopping.gateway.stop();
    expect(await agent.closed()).toBe(4503);
    const { rows } = await withSystem(fleet.db, (tx) =>
      tx.query('select 1 from metapod_sessions where node_id = $1', [node.nodeId]),
    );
    expect(rows).toEqual([]);
  });
});

describe('a new inventory', () => {
  const shrunk = (diskBytes: number) => ({
    type: 'inventory' as const,
    inventory: { ...hello().inventory, name: node.nodeId, diskBytes },
  });

  it('wakes who gives work, since some may wait for just that; one that says nothing new wakes nobody', async () => {
    const agent = await agentOf(node);
    const heard: string[] = [];
    const stops = ['scheduler', 'orchestrator'].map((topic) => gateway.wake.on(topic, () => heard.push(topic)));
    const disk = async () => {
      const { rows } = await fleet.db.system.query<{ bytes: bigint }>(
        'select observed_disk_bytes as bytes from drm_nodes where id = $1',
        [node.nodeId],
      );
      return Number(rows[0]!.bytes);
    };
    agent.send(shrunk(2 ** 30));
    await until('both are woken', async () => heard.length === 2);
    expect(await disk()).toBe(2 ** 30);
    heard.length = 0;
    agent.send(shrunk(2 ** 30));
    agent.send(shrunk(2 ** 31));
    await until('the next one is told', async () => (await disk()) === 2 ** 31);
    await until('both are woken', async () => heard.length >= 2);
    expect(heard).toHaveLength(2);
    for (const stop of stops) stop();
  });

  it('that cannot be written just now ends the session, so that the next hello says it again', async () => {
    const agent = await agentOf(node);
    await withClient(fleet.database.logins.owner, async (client) => {
      await client.query(`
        create function refuse_for_want_of_room() returns trigger language plpgsql as
          $$ begin raise exception 'no space left on device' using errcode = '53100'; end $$;
        create trigger refuse_for_want_of_room before update on drm_nodes
          for each row when (old.id = '${node.nodeId}') execute function refuse_for_want_of_room()`);
      agent.send(shrunk(2 ** 30));
      expect(await agent.closed()).toBe(4503);
      await client.query('drop trigger refuse_for_want_of_room on drm_nodes; drop function refuse_for_want_of_room');
    });
  });
});
