/**
 * The fleet in Prometheus' words. Names and units follow its conventions: base units, ratios 0–1, `_total` on counters.
 *
 * Values are read at the scrape and not kept in process: any tracker answers the same, and a device that is gone leaves no series
 * behind. No label names a job, user or tenant, so series grow with the fleet and not with its work.
 */
import { Counter, Gauge, type Registry } from 'prom-client';
import { nodePresences } from '../../common/contract/states/node.ts';
import type { Database } from '../../common/database/index.ts';
import { type DeviceReading, type FleetReading, readFleetNow } from './rows.ts';

const deviceLabels = ['site', 'node', 'device', 'uuid', 'model'] as const;
const modelLabels = ['site', 'kind', 'model'] as const;

/** Name of a number in samples, the metric that shows it, and what it means. */
const sampled = [
  ['utilizationRatio', 'solyx_gpu_utilization_ratio', 'Share of time in which the GPU was busy, 0 to 1.'],
  ['memoryUsedBytes', 'solyx_gpu_memory_used_bytes', 'Memory of the GPU in use.'],
  ['powerWatts', 'solyx_gpu_power_watts', 'Power that the GPU draws.'],
  ['temperatureCelsius', 'solyx_gpu_temperature_celsius', 'Temperature of the GPU.'],
] as const;

/**
 * Registers the fleet's metrics. While the database is away they have no series, and `solyx_fleet_read_errors_total` grows.
 */
export function registerFleetMetrics(registry: Registry, db: Database): void {
  const registers = [registry];
  let reading: Promise<void> | undefined;
  // prom-client asks all metrics in one tick: the first begins to read, the others wait for the same.
  const collect = () => {
    reading ??= readFleetNow(db)
      .then(show, () => {
        for (const metric of shown) metric.reset();
        errors.inc();
      })
      .finally(() => {
        reading = undefined;
      });
    return reading;
  };
  const gauge = <L extends string>(name: string, help: string, labelNames: readonly L[]) =>
    new Gauge({ name, help, labelNames, registers, collect });

  const errors = new Counter({
    name: 'solyx_fleet_read_errors_total',
    help: 'Scrapes at which the inventory could not be read.',
    registers,
  });
  const nodes = gauge('solyx_nodes', 'Nodes by presence.', ['presence']);
  const devices = gauge('solyx_devices', 'Devices that may be allocated.', modelLabels);
  const devicesAllocated = gauge('solyx_devices_allocated', 'Devices allocated, shares as such.', modelLabels);
  const allocated = gauge('solyx_gpu_allocated', 'Share of the GPU that is allocated, 0 to 1.', deviceLabels);
  const healthy = gauge('solyx_gpu_healthy', 'Whether the GPU is reported and in good health, 0 or 1.', deviceLabels);
  const info = gauge('solyx_gpu_info', 'What the GPU is; always 1.', [...deviceLabels, 'driver']);
  const samples = sampled.map(([key, name, help]) => ({ key, metric: gauge(name, help, deviceLabels) }));
  const energy = new Counter({
    name: 'solyx_gpu_energy_joules_total',
    help: 'Energy that the GPU used, by its own counter.',
    labelNames: deviceLabels,
    registers,
    collect,
  });
  const shown = [nodes, devices, devicesAllocated, allocated, healthy, info, energy, ...samples.map((s) => s.metric)];

  function show(fleet: FleetReading): void {
    for (const metric of shown) metric.reset();
    for (const presence of nodePresences) nodes.set({ presence }, fleet.nodes.get(presence) ?? 0);
    for (const device of fleet.devices) {
      const model = { site: device.site, kind: device.kind, model: device.model };
      devices.inc(model, device.milli / 1000);
      devicesAllocated.inc(model, device.usedMilli / 1000);
      if (device.kind === 'gpu') showGpu(device);
    }
  }

  function showGpu({
    site,
    node,
    device,
    uuid,
    model,
    driver,
    usedMilli,
    healthy: isHealthy,
    data,
  }: DeviceReading): void {
    const labels = { site, node, device, uuid, model };
    allocated.set(labels, usedMilli / 1000);
    healthy.set(labels, isHealthy ? 1 : 0);
    info.set({ ...labels, driver }, 1);
    for (const { key, metric } of samples) {
      const value = data?.[key];
      if (value !== undefined) metric.set(labels, value);
    }
    const joules = data?.energyJoulesTotal;
    if (joules !== undefined && joules >= 0) energy.inc(labels, joules);
  }
}
