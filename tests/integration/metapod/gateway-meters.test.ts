import { afterAll, beforeAll, expect, it } from 'vitest';
import { Fleet, until } from './support/fleet.ts';
import type { StartedGateway } from './support/gateway.ts';
import { hello, RawAgent } from './support/raw-agent.ts';

let fleet: Fleet;
let gateway: StartedGateway;
beforeAll(async () => {
  fleet = await Fleet.create();
  gateway = await fleet.startGateway();
});
afterAll(() => fleet.close());

/** Value of a series in what a scrape gets. */
async function scraped(series: string): Promise<number | undefined> {
  const line = (await gateway.registry.metrics()).split('\n').find((text) => text.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
}

it('the gateway says who is connected, what came and went, and how long nodes waited for answers', async () => {
  const node = await fleet.makeNode();
  const placed = await fleet.place(node.nodeId);
  const agent = await RawAgent.connected(gateway.url, node.token, {
    protocol: 2,
    inventory: { ...hello().inventory, name: node.nodeId },
  });
  const id = { attemptId: placed.attemptId, rank: 0, token: String(placed.token) };
  const lines = `${JSON.stringify({ n: 0, t: 1, s: 'out', d: 'é' })}\n`;
  agent.send({ type: 'heartbeat', seq: 0 });
  agent.send({ type: 'logs', ...id, firstLine: 0, lineCount: 1, lines, complete: false });
  const series = [
    {
      name: 'loss',
      width: 1,
      points: [[0, 1, 3, 1, 1, 1, 1] as [number, number, number, number, number, number, number]],
    },
  ];
  agent.send({ type: 'metrics', ...id, seq: 0, batch: { series, position: '', ignored: 0, complete: false } });
  await fleet.command(node.nodeId, placed, 'stop', { why: 'test', graceSeconds: 0 });
  const { id: command } = await agent.next('command');
  agent.send({ type: 'commandAck', id: command, result: 'done' });
  await agent.next('heartbeatAck');
  await agent.next('metricsAck');
  await until(
    'the acknowledged command',
    async () => (await scraped('solyx_gateway_command_ack_seconds_count{kind="stop"}')) === 1,
  );
  for (const [name, value] of [
    ['solyx_gateway_sessions', 1],
    ['solyx_gateway_frames_received_total{type="hello"}', 1],
    ['solyx_gateway_frames_received_total{type="logs"}', 1],
    ['solyx_gateway_frames_sent_total{type="command"}', 1],
    ['solyx_gateway_log_bytes_total', Buffer.byteLength(lines)],
    ['solyx_gateway_log_lines_total', 1],
    ['solyx_gateway_metric_values_total', 4],
    ['solyx_gateway_ack_seconds_count{stream="heartbeat"}', 1],
    ['solyx_gateway_ack_seconds_count{stream="logs"}', 1],
    ['solyx_gateway_ack_seconds_count{stream="metrics"}', 1],
  ] as const) {
    expect([name, await scraped(name)]).toEqual([name, value]);
  }
  agent.send('nonsense');
  await agent.closed();
  expect(await scraped('solyx_gateway_sessions_closed_total{why="protocol"}')).toBe(1);
  await until('no session', async () => (await scraped('solyx_gateway_sessions')) === 0);
  // No label names a node, a job or a tenant: series must not grow with the fleet.
  expect(await gateway.registry.metrics()).not.toContain(node.nodeId);
});

it('an acknowledged command is not remembered, and not sent again', async () => {
  const node = await fleet.makeNode();
  const placed = await fleet.place(node.nodeId);
  const agent = await RawAgent.connected(gateway.url, node.token, {
    inventory: { ...hello().inventory, name: node.nodeId },
  });
  await fleet.command(node.nodeId, placed, 'stop', { why: 'test', graceSeconds: 0 });
  const { id } = await agent.next('command');
  agent.send({ type: 'commandAck', id, result: 'done' });
  await until('the acknowledgement', async () => {
    const { rows } = await fleet.db.system.query(
      'select from metapod_commands where id = $1 and acked_at is not null',
      [id],
    );
    return rows.length === 1;
  });
  await fleet.command(node.nodeId, placed, 'forget');
  expect((await agent.next('command')).kind).toBe('forget');
  expect(agent.received.filter(({ type }) => type === 'command')).toEqual([]);
});
