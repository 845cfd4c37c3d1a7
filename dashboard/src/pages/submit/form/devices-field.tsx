/** Accelerators: rows of kind, model and count, with the kinds and models that the fleet has. */
import { Autocomplete, Button, Select, TextInput } from '@mantine/core';
import '../../../ui/inputs.css';
import '../../../ui/overlays.css';
import { useQuery } from '@tanstack/react-query';
import { read } from '../../../api/queries.ts';
import { type Spec, valueAt } from '../spec/draft.ts';
import { groups, readValue, textOf } from '../spec/fields.ts';
import classes from '../submit.module.css';
import type { PartProps } from './form.tsx';

const kinds = ['gpu', 'tpu', 'fpga'];

export function DevicesField({ spec, edit, issues }: PartProps) {
  const { data } = useQuery({ ...read('GET /v1/devices', { query: { limit: 500 } }), staleTime: 30_000 });
  const fleet = data?.items ?? [];
  const value = valueAt(spec, groups.devices);
  const path = groups.devices;
  if (value !== undefined && value !== null && !isRows(value)) {
    return (
      <fieldset className={classes.group}>
        <legend className={classes.subtitle}>Devices</legend>
        <p className={classes.dim}>Alternatives (anyOf) are written in the YAML.</p>
        <Wrong text={issues.devices} />
      </fieldset>
    );
  }
  const rows = (value ?? []) as readonly Spec[];
  const counted = Map.groupBy(fleet, ({ kind, model }) => `${kind} ${model}`);
  const models = (kind: string) =>
    [...new Set(fleet.filter((device) => device.kind === kind).map(({ model }) => model))].sort();
  return (
    <fieldset className={classes.group}>
      <legend className={classes.subtitle}>Devices</legend>
      {data !== undefined && (
        <p className={classes.dim}>
          {fleet.length === 0
            ? 'The fleet has no accelerators now; a job that asks for one waits until some join.'
            : `The fleet has ${[...counted].map(([name, list]) => `${list.length} × ${name.split(' ').slice(1).join(' ')}`).join(', ')}.`}
        </p>
      )}
      {rows.map((row, index) => {
        const at = (key: string) => [...path, index, key];
        const kind = textOf(row.kind) || 'gpu';
        const { model } = row;
        return (
          // biome-ignore lint/suspicious/noArrayIndexKey: requests have no names but their places
          <div key={index} className={classes.deviceRow}>
            <Select
              size="xs"
              label="Kind"
              allowDeselect={false}
              data={kinds}
              value={kind}
              onChange={(next) => edit(at('kind'), next ?? undefined)}
            />
            <Autocomplete
              size="xs"
              label="Model"
              placeholder="any"
              readOnly={Array.isArray(model)}
              data={models(kind)}
              value={Array.isArray(model) ? model.join(' or ') : textOf(model)}
              onChange={(next) => edit(at('model'), next === '' ? undefined : next)}
            />
            <TextInput
              size="xs"
              label="Count"
              placeholder="1"
              inputMode="numeric"
              value={textOf(row.count)}
              onChange={(event) => edit(at('count'), readValue('number', event.currentTarget.value))}
            />
            <TextInput
              size="xs"
              label="Least memory"
              placeholder="any"
              value={textOf(row.minMemory)}
              onChange={(event) => edit(at('minMemory'), readValue('quantity', event.currentTarget.value))}
            />
            <TextInput
              size="xs"
              label="Share of one"
              placeholder="whole"
              inputMode="decimal"
              value={textOf(row.fraction)}
              onChange={(event) => edit(at('fraction'), readValue('number', event.currentTarget.value))}
            />
            <Button
              size="xs"
              variant="subtle"
              color="gray"
              aria-label={`Remove device request ${index + 1}`}
              onClick={() => edit(path, rows.length === 1 ? undefined : rows.toSpliced(index, 1))}
            >
              Remove
            </Button>
          </div>
        );
      })}
      <Wrong text={issues.devices} />
      <Button
        size="xs"
        variant="default"
        onClick={() =>
          edit(path, [...rows, { kind: fleet[0]?.kind ?? 'gpu', ...(fleet[0] && { model: fleet[0].model }), count: 1 }])
        }
      >
        Add a device request
      </Button>
    </fieldset>
  );
}

const isRows = (value: unknown): value is readonly Spec[] =>
  Array.isArray(value) && value.every((row) => typeof row === 'object' && row !== null && !Array.isArray(row));

function Wrong({ text }: { readonly text: string | undefined }) {
  return text === undefined ? null : (
    <p className={classes.error} role="alert">
      {text}
    </p>
  );
}
