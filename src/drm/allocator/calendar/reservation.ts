/** Advance reservations, as they are asked for and as they are kept. */

/** What is reserved: so many nodes, or as many as have so many devices. */
export interface ReservationWish {
  /** Left out: as many as hold the devices. */
  readonly nodes?: number;
  readonly devices?: { readonly kind: 'gpu' | 'tpu' | 'fpga'; readonly model?: string; readonly count: number };
  /** Labels that a node must have, each with the values that will do. */
  readonly labels: Readonly<Record<string, readonly string[]>>;
  /** Name of the site; left out: any, and several. */
  readonly site?: string;
}

export interface NewReservation {
  readonly tenant: string;
  /** Id; null: all projects of the tenant. */
  readonly project: string | null;
  readonly name: string;
  readonly wanted: ReservationWish;
  readonly startsAt: Date;
  readonly endsAt: Date;
  /** Id of the key that asked. */
  readonly by: string;
}

export type ReservationState = 'booked' | 'cancelled' | 'ended';

export interface Reservation extends Omit<NewReservation, 'by'> {
  readonly id: string;
  readonly state: ReservationState;
  /** How many nodes it is of. */
  readonly nodeCount: number;
  /** Those that it has: fewer than `nodeCount` when some vanished and no others were free. */
  readonly nodes: readonly ReservedNode[];
  readonly createdBy: string;
  readonly createdAt: Date;
  readonly endedAt: Date | null;
}

export interface ReservedNode {
  readonly id: string;
  readonly name: string;
  /** Whether it is there and takes work. */
  readonly ready: boolean;
}

/** What the nodes of a reservation have, for who may reserve only so much. Devices whole, cores in thousandths. */
export interface ReservedAmounts {
  readonly cpuMilli: number;
  readonly gpu: number;
  readonly tpu: number;
  readonly fpga: number;
}

/** Not enough nodes are free for that time. */
export class ReservationConflict extends Error {
  override readonly name = 'ReservationConflict';
  readonly matching: number;
  readonly free: number;

  /** @param matching nodes that are as wished  @param free those of them that nobody else has reserved then */
  constructor(matching: number, free: number, wanted: string) {
    super(
      `${wanted} wanted; ${matching} nodes that are ready match, of which ${free} are not reserved in that time${free < matching ? ' by others' : ''}.`,
    );
    this.matching = matching;
    this.free = free;
  }
}
