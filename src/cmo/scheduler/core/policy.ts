/**
 * The policy's defaults and its check. A policy comes from configuration, so a wrong one is a named error at the start of
 * a round and never a wrong placement.
 */
import { defaultPreemption, faultOfPreemption } from './preemption/preemption-policy.ts';
import type { PlacementRule, Policy, QueueOrder } from './snapshot.ts';

const placementRules: readonly PlacementRule[] = ['best-fit', 'least-fragmentation'];
const orders: readonly QueueOrder[] = ['arrival', 'least-work'];

export const defaultPolicy: Policy = {
  name: 'priority-fragmentation/1',
  placement: 'least-fragmentation',
  order: 'least-work',
  maxPlacements: 1000,
  reserveAfterSeconds: 300,
  firmAfterSeconds: 86_400,
  maxReservations: 16,
  historyHalfLifeSeconds: 7 * 86_400,
  historyWeight: 1,
  preemption: defaultPreemption,
  powerAware: true,
};

export class InvalidPolicyError extends RangeError {
  override readonly name = 'InvalidPolicyError';
}

/** @throws InvalidPolicyError naming the first field that is out of its range */
export function checkPolicy(policy: Policy): void {
  const whole = (value: number, least: number, most: number) =>
    Number.isInteger(value) && value >= least && value <= most;
  if (!placementRules.includes(policy.placement)) {
    throw new InvalidPolicyError(`placement must be one of ${placementRules.join(', ')}, not ${policy.placement}`);
  }
  if (policy.order !== undefined && !orders.includes(policy.order)) {
    throw new InvalidPolicyError(`order must be one of ${orders.join(', ')}, not ${policy.order}`);
  }
  if (!whole(policy.maxPlacements, 1, 100_000)) {
    throw new InvalidPolicyError(`maxPlacements must be a whole number of 1–100,000, not ${policy.maxPlacements}`);
  }
  if (!whole(policy.maxReservations, 0, 1000)) {
    throw new InvalidPolicyError(`maxReservations must be a whole number of 0–1,000, not ${policy.maxReservations}`);
  }
  if (!(policy.reserveAfterSeconds >= 0)) {
    throw new InvalidPolicyError(`reserveAfterSeconds must be 0 or more, not ${policy.reserveAfterSeconds}`);
  }
  if (!(policy.firmAfterSeconds >= 0)) {
    throw new InvalidPolicyError(`firmAfterSeconds must be 0 or more, not ${policy.firmAfterSeconds}`);
  }
  if (!(policy.historyHalfLifeSeconds > 0)) {
    throw new InvalidPolicyError(`historyHalfLifeSeconds must be above 0, not ${policy.historyHalfLifeSeconds}`);
  }
  if (!(policy.historyWeight >= 0 && policy.historyWeight <= 100)) {
    throw new InvalidPolicyError(`historyWeight must be 0–100, not ${policy.historyWeight}`);
  }
  if (policy.powerAware !== undefined && typeof policy.powerAware !== 'boolean') {
    throw new InvalidPolicyError(`powerAware must be true or false, not ${policy.powerAware}`);
  }
  const preemption = faultOfPreemption(policy.preemption);
  if (preemption !== undefined) throw new InvalidPolicyError(`preemption: ${preemption}`);
}
