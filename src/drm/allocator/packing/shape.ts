/** The part of a node's inventory that capacity is made of. */
import type { WireInventory } from '../../../common/contract/agent/protocol.ts';

export type WireNodeShape = Pick<WireInventory, 'cpuMilli' | 'memoryBytes' | 'diskBytes' | 'devices'>;
export type DeviceKind = WireInventory['devices'][number]['kind'];
