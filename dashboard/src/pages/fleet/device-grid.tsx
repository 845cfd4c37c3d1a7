/**
 * Every device of some nodes as a cell, coloured by what it does now.
 *
 * React draws the cells once; samples change them directly, because a thousand cells redrawn through React at each sample
 * would cost more than the frame has. Arrow keys walk the cells, and what a cell says stands beneath in words.
 */
import { Link } from '@tanstack/react-router';
import { type KeyboardEvent, useEffect, useRef, useState } from 'react';
import type { LiveDevice, LiveNode } from '../../../../src/common/contract/live.ts';
import classes from './fleet.module.css';
import { deviceWords } from './fleet.ts';
import { loadOf, loadStep, type SampleStore, sampleWords } from './samples.ts';

interface DeviceGridProps {
  readonly nodes: readonly LiveNode[];
  readonly devices: Readonly<Record<string, readonly LiveDevice[]>>;
  readonly samples: SampleStore;
}

export function DeviceGrid({ nodes, devices, samples }: DeviceGridProps) {
  const host = useRef<HTMLDivElement>(null);
  const [shown, setShown] = useState('');

  // biome-ignore lint/correctness/useExhaustiveDependencies: other nodes or devices are other cells
  useEffect(() => {
    const cells = new Map<string, HTMLElement>();
    for (const cell of host.current!.querySelectorAll<HTMLElement>('[data-id]')) cells.set(cell.dataset.id!, cell);
    const paint = (id: string) => {
      const cell = cells.get(id);
      if (cell === undefined) return;
      const step = loadStep(loadOf(samples.get(id)));
      if (cell.dataset.load !== step) cell.dataset.load = step;
    };
    for (const id of cells.keys()) paint(id);
    return samples.onChange((ids) => {
      for (const id of ids) paint(id);
      const active = host.current?.querySelector<HTMLElement>('[data-id]:focus, [data-id]:hover');
      if (active && ids.has(active.dataset.id!)) say(active);
    });
  }, [samples, nodes, devices]);

  const say = (cell: HTMLElement) => {
    const words = `${cell.dataset.name}: ${sampleWords(samples.get(cell.dataset.id!))}${cell.dataset.state}`;
    cell.setAttribute('aria-label', words);
    setShown(words);
  };
  const cellAt = (target: EventTarget): HTMLElement | null => (target as HTMLElement).closest<HTMLElement>('[data-id]');
  const walk = (event: KeyboardEvent) => {
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 8, ArrowUp: -8 }[event.key];
    const from = cellAt(event.target);
    if (step === undefined || from === null) return;
    event.preventDefault();
    const cells = [...host.current!.querySelectorAll<HTMLElement>('[data-id]')];
    const next = cells[Math.min(cells.length - 1, Math.max(0, cells.indexOf(from) + step))]!;
    from.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  };

  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: it only watches over the cells, which are buttons
    <div
      ref={host}
      className={classes.ramped}
      onKeyDown={walk}
      onFocus={(event) => cellAt(event.target) && say(cellAt(event.target)!)}
      onMouseOver={(event) => cellAt(event.target) && say(cellAt(event.target)!)}
    >
      <div className={classes.racks}>
        {nodes.map((node, index) => (
          <Rack key={node.id} node={node} devices={devices[node.id] ?? []} first={index === 0} />
        ))}
      </div>
      <Ramp />
      <p className={classes.shown}>{shown || 'Point at a cell, or walk them with the arrow keys.'}</p>
    </div>
  );
}

function Rack({
  node,
  devices,
  first,
}: {
  readonly node: LiveNode;
  readonly devices: readonly LiveDevice[];
  readonly first: boolean;
}) {
  const real = devices.filter(({ milli, parentId }) => milli > 0 || parentId === null);
  return (
    <section className={classes.rack} aria-label={node.name}>
      <div className={classes.rackName}>
        <Link to="/fleet/$" params={{ _splat: node.id }}>
          {node.name}
        </Link>
        <span>{deviceWords(real) || 'CPU only'}</span>
      </div>
      <div className={classes.cells}>
        {real.length === 0 ? (
          <Cell
            id={node.id}
            name={`${node.name}, CPU`}
            label="CPU"
            isFree={node.used.cpuMilli === 0}
            health={node.health}
            tab={first}
          />
        ) : (
          real.map((device, index) => (
            <Cell
              key={device.id}
              id={device.id}
              name={`${node.name}, ${device.model} ${device.index}`}
              label={String(device.index)}
              isFree={device.usedMilli === 0}
              health={device.health}
              tab={first && index === 0}
            />
          ))
        )}
      </div>
    </section>
  );
}

interface CellProps {
  readonly id: string;
  readonly name: string;
  readonly label: string;
  readonly isFree: boolean;
  readonly health: string;
  readonly tab: boolean;
}

function Cell({ id, name, label, isFree, health, tab }: CellProps) {
  const state = `${isFree ? ', given to nobody' : ', held by a job'}${health === 'ok' ? '' : `, ${health}`}`;
  return (
    <button
      type="button"
      className={classes.cell}
      data-id={id}
      data-name={name}
      data-state={state}
      data-free={isFree}
      data-health={health}
      aria-label={`${name}${state}`}
      tabIndex={tab ? 0 : -1}
    >
      {label.length <= 2 ? label : ''}
    </button>
  );
}

function Ramp() {
  return (
    <div className={classes.legend}>
      <span className={classes.scale}>
        idle
        <span className={classes.ramp} aria-hidden="true">
          {Array.from({ length: 11 }, (_, step) => (
            <i key={String(step)} data-load={step} />
          ))}
        </span>
        fully used
      </span>
      <span>dashed: given to nobody · hatched: nothing measured</span>
    </div>
  );
}
