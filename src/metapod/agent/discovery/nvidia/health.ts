/**
 * Is an NVIDIA GPU fit for work? ECC counters, row remapping, retired pages, throttling, recovery action and
 * XIDs of the kernel log, as coded reasons.
 *
 * Counters are the *volatile* ones (since the driver loaded): an error that a reset has dealt with does not
 * condemn a GPU for ever. XIDs are read from the kernel log since boot, so one stays until the next boot.
 */
import type { HealthReason, ThrottleReason } from '../device.ts';
import { COUNT, integerIn, pciAddressOf, saysBroken, textOf } from '../reading.ts';
import type { FieldRow } from './query.ts';

/** Bits of nvmlClocksEventReasons (nvml.h). Idle (0x1), application clocks (0x2), sync boost (0x10) are no news. */
const THROTTLE_BITS: readonly (readonly [bit: number, reason: ThrottleReason])[] = [
  [0x04, 'power-cap'],
  [0x08, 'hw-slowdown'],
  [0x20, 'sw-thermal'],
  [0x40, 'hw-thermal'],
  [0x80, 'power-brake'],
];

/** Throttle reasons that mean something is wrong with the machine; a power cap is policy, not illness. */
const ILL_THROTTLE: ReadonlySet<ThrottleReason> = new Set(['hw-slowdown', 'hw-thermal', 'power-brake']);

/**
 * XIDs after which the GPU itself needs care (reset, reboot or repair): NVIDIA's XID catalogue. All others are
 * faults of an application or informational.
 */
const ILL_XIDS: ReadonlySet<number> = new Set([
  46, 48, 54, 62, 64, 74, 79, 95, 109, 110, 119, 120, 136, 140, 143, 144, 145, 146, 147, 148, 149, 150, 151, 155, 156,
  158,
]);

/** `0x0000000000000044` → `power-cap`, `hw-thermal`; unknown text → none. */
export function throttleReasonsOf(mask: string): ThrottleReason[] {
  if (!/^0x[0-9a-f]{1,16}$/i.test(mask.trim())) return [];
  const bits = Number(BigInt(mask.trim()) & 0xffffn);
  return THROTTLE_BITS.filter(([bit]) => (bits & bit) !== 0).map(([, reason]) => reason);
}

const COUNTED: readonly (readonly [field: string, reason: HealthReason])[] = [
  ['ecc.errors.uncorrected.volatile.total', 'ecc-uncorrected'],
  ['remapped_rows.pending', 'row-remap-pending'],
  ['remapped_rows.failure', 'row-remap-failure'],
  ['retired_pages.pending', 'retired-pages-pending'],
];

/** Reasons to call a GPU degraded, from its row of `HEALTH_FIELDS` and the last XID. */
export function healthReasonsOf(row: FieldRow, lastXid: number | null): HealthReason[] {
  const reasons: HealthReason[] = [];
  if (isUnreadable(row)) reasons.push('unreadable');
  for (const [field, reason] of COUNTED) {
    const text = row.get(field) ?? '';
    // Drivers print pending and failure as `Yes`/`No` or `1`/`0`.
    if (/^yes$/i.test(text) || (integerIn(text, COUNT) ?? 0) > 0) reasons.push(reason);
  }
  const recovery = textOf(row.get('gpu_recovery_action') ?? '');
  if (recovery !== null && !saysBroken(recovery)) {
    reasons.push(
      `recovery-${recovery
        .toLowerCase()
        .replace(/[^a-z0-9]+/g, '-')
        .slice(0, 32)}`,
    );
  }
  for (const reason of throttleReasonsOf(row.get('clocks_event_reasons.active') ?? '')) {
    if (ILL_THROTTLE.has(reason)) reasons.push(`throttle-${reason}`);
  }
  if (lastXid !== null && ILL_XIDS.has(lastXid)) reasons.push(`xid-${lastXid}`);
  return reasons;
}

/** Laptop boards answer `[Unknown Error]` to a field or two and work; a lost GPU says so, or answers nothing right. */
function isUnreadable(row: FieldRow): boolean {
  const cells = [...row.values()];
  return cells.some((cell) => /lost|requires reset|fallen off/i.test(cell)) || cells.filter(saysBroken).length >= 3;
}

export const HEALTH_FIELDS: readonly string[] = [
  ...COUNTED.map(([field]) => field),
  'gpu_recovery_action',
  'clocks_event_reasons.active',
];

/**
 * Last XID by PCI address out of a kernel log (`NVRM: Xid (PCI:0000:3b:00): 79, pid=…`).
 * An XID that condemns the GPU is kept over later harmless ones.
 */
export function lastXids(kernelLog: string): Map<string, number> {
  const xids = new Map<string, number>();
  for (const hit of kernelLog.matchAll(/NVRM: Xid \(PCI:([0-9a-fA-F:]{7,16})\): (\d{1,4})\b/g)) {
    const address = pciAddressOf(`${hit[1]}.0`);
    const xid = Number(hit[2]);
    if (address === null) continue;
    if (ILL_XIDS.has(xid) || !ILL_XIDS.has(xids.get(address) ?? 0)) xids.set(address, xid);
  }
  return xids;
}
