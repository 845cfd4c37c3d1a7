/** What goes wrong: one fault of a kind that is drawn, at a time that follows from the load. Whatever breaks is mended after a while. */
import type { Random } from '../crash/random.ts';
import { devicesPerNode, nodeIds, shapeOfNode, sliced, smaller } from './nodes.ts';
import type { Simulation } from './simulation.ts';

type Fault = (simulation: Simulation, random: Random) => boolean | Promise<boolean>;

/** More nodes than these are not taken away at a time, or nothing would get done. */
const mostDown = 9;

const kinds: readonly (readonly [name: string, weight: number, fault: Fault])[] = [
  ['contact lost', 20, (simulation, random) => takeDown(simulation, random, 'contact', pause(random, 2, 400))],
  ['power lost', 7, (simulation, random) => takeDown(simulation, random, 'power', pause(random, 20, 400))],
  ['node frozen', 10, (simulation, random) => takeDown(simulation, random, 'freeze', pause(random, 2, 500))],
  ['node removed', 2, removed],
  ['reports late', 10, (simulation, random) => disturb(simulation, random, simulation.lateUntil)],
  ['reports doubled', 8, (simulation, random) => disturb(simulation, random, simulation.doubledUntil)],
  ['reports out of order', 8, (simulation, random) => disturb(simulation, random, simulation.shuffledUntil)],
  ['stops overtake starts', 4, stopsOvertake],
  ['clock of a node jumps', 5, nodeClock],
  ['clock of a scheduler jumps', 3, schedulerClock],
  ['devices die', 6, devicesDie],
  ['node changes shape', 4, changesShape],
  ['device is sliced', 3, isSliced],
  ['scheduler dies before its commit', 4, (simulation, random) => schedulerDies(simulation, random, 'before-commit')],
  ['scheduler dies after its commit', 4, (simulation, random) => schedulerDies(simulation, random, 'after-commit')],
  ['schedulers collide', 5, collide],
  ['orchestrator dies after its intent', 4, followUpsLost],
  ['orchestrator lost its lease', 3, followUpsDoubled],
  ['node cordoned', 3, cordoned],
];
const allWeight = kinds.reduce((sum, [, weight]) => sum + weight, 0);

export class Faults {
  readonly #random: Random;
  readonly counts = new Map<string, number>();

  constructor(random: Random) {
    this.#random = random;
  }

  /** Lets something go wrong; draws again when what was drawn cannot befall anybody now. */
  async inject(simulation: Simulation): Promise<void> {
    for (let tries = 0; tries < 20; tries += 1) {
      let left = this.#random.next() * allWeight;
      const kind = kinds.find(([, weight]) => {
        left -= weight;
        return left < 0;
      });
      if (kind === undefined || !(await kind[2](simulation, this.#random))) continue;
      this.counts.set(kind[0], (this.counts.get(kind[0]) ?? 0) + 1);
      simulation.counts.faults += 1;
      return;
    }
  }
}

const pause = (random: Random, least: number, most: number): number => 1000 * random.whole(least, most);

function someReachable(simulation: Simulation, random: Random): string | undefined {
  const up = nodeIds.filter((id) => simulation.machines.get(id)!.isReachable);
  return up.length > nodeIds.length - mostDown ? random.pick(up) : undefined;
}

function takeDown(simulation: Simulation, random: Random, how: 'contact' | 'power' | 'freeze', forMs: number): boolean {
  const node = someReachable(simulation, random);
  if (node === undefined) return false;
  simulation.lose(node, how);
  simulation.time.in(forMs, () => simulation.restore(node));
  return true;
}

/** An operator says that a node is off for good, which it is; later it is set up anew. */
function removed(simulation: Simulation, random: Random): boolean {
  const node = someReachable(simulation, random);
  if (node === undefined) return false;
  simulation.lose(node, 'power');
  simulation.time.in(pause(random, 20, 60), async () => {
    if (!simulation.machines.get(node)!.isOn && simulation.presenceOf(node) === 'lost')
      await simulation.setPresence(node, 'removed');
  });
  simulation.time.in(pause(random, 80, 300), () => simulation.restore(node));
  return true;
}

function disturb(simulation: Simulation, random: Random, until: Map<string, number>): boolean {
  until.set(random.pick(nodeIds), simulation.time.now + pause(random, 5, 60));
  return true;
}

/** What is sent to a node comes in any order, and is cancelled as soon as it is sent. */
function stopsOvertake(simulation: Simulation, random: Random): boolean {
  const node = random.pick(nodeIds);
  for (const until of [simulation.shuffledUntil, simulation.regrettedUntil])
    until.set(node, simulation.time.now + pause(random, 5, 60));
  return true;
}

function nodeClock(simulation: Simulation, random: Random): boolean {
  simulation.machines.get(random.pick(nodeIds))!.skewMs = 1000 * random.whole(-7200, 7200);
  return true;
}

function schedulerClock(simulation: Simulation, random: Random): boolean {
  random.pick(simulation.schedulers).skewMs = 1000 * random.whole(-120, 120);
  return true;
}

async function devicesDie(simulation: Simulation, random: Random): Promise<boolean> {
  const node = someReachable(simulation, random);
  if (node === undefined) return false;
  const gone = random.shuffle(Array.from({ length: devicesPerNode }, (_, i) => i)).slice(0, random.whole(1, 2));
  const rows = simulation.node(node)!.devices;
  for (const index of gone) {
    const device = rows[index];
    // Some processes notice at once, others run on.
    if (device !== undefined && random.next() < 0.6) simulation.machines.get(node)!.loseDevice(device.id);
  }
  await simulation.report(node, smaller(node, gone, false));
  simulation.time.in(pause(random, 20, 400), () => simulation.report(node, shapeOfNode(node)));
  return true;
}

async function changesShape(simulation: Simulation, random: Random): Promise<boolean> {
  const node = someReachable(simulation, random);
  if (node === undefined) return false;
  await simulation.report(node, smaller(node, random.next() < 0.3 ? [random.whole(0, devicesPerNode - 1)] : [], true));
  simulation.time.in(pause(random, 20, 400), () => simulation.report(node, shapeOfNode(node)));
  return true;
}

async function isSliced(simulation: Simulation, random: Random): Promise<boolean> {
  const node = someReachable(simulation, random);
  if (node === undefined) return false;
  await simulation.report(node, sliced(node, random.whole(0, devicesPerNode - 1)));
  simulation.time.in(pause(random, 20, 400), () => simulation.report(node, shapeOfNode(node)));
  return true;
}

function schedulerDies(simulation: Simulation, random: Random, where: 'before-commit' | 'after-commit'): boolean {
  const scheduler = random.pick(simulation.schedulers);
  if (scheduler.diesAt !== null) return false;
  scheduler.diesAt = where;
  return true;
}

async function collide(simulation: Simulation): Promise<boolean> {
  for (const scheduler of simulation.schedulers) await scheduler.roundNow();
  return true;
}

function followUpsLost(simulation: Simulation, random: Random): boolean {
  simulation.followUpsLostUntil = simulation.time.now + pause(random, 1, 5);
  return true;
}

function followUpsDoubled(simulation: Simulation, random: Random): boolean {
  simulation.followUpsDoubledUntil = simulation.time.now + pause(random, 1, 20);
  return true;
}

async function cordoned(simulation: Simulation, random: Random): Promise<boolean> {
  const node = someReachable(simulation, random);
  if (node === undefined || simulation.node(node)!.scheduling !== 'open') return false;
  await simulation.setScheduling(node, 'cordoned');
  simulation.time.in(pause(random, 10, 60), () => simulation.setScheduling(node, 'draining'));
  simulation.time.in(pause(random, 70, 200), () => simulation.setScheduling(node, 'open'));
  return true;
}
