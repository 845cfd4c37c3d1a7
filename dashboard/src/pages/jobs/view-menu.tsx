/** Which columns are shown, and how dense the rows are; remembered in this browser. */
import { Button, Menu } from '@mantine/core';
import '../../ui/overlays.css';
import { oneOf, usePreference } from '../../app/preference.ts';
import type { Density } from '../../ui/data-table.tsx';
import { columnIds, columns, hiddenByDefault } from './columns.tsx';

export interface Look {
  readonly hidden: ReadonlySet<string>;
  readonly density: Density;
  setHidden(hidden: readonly string[]): void;
  setDensity(density: Density): void;
}

const areColumns = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((id) => columnIds.includes(id) && id !== 'name');
const isDensity = oneOf('comfortable', 'compact');

export function useLook(): Look {
  const [hidden, setHidden] = usePreference<readonly string[]>('jobs.hidden', areColumns, hiddenByDefault);
  const [density, setDensity] = usePreference<Density>('jobs.density', isDensity, 'comfortable');
  return { hidden: new Set(hidden), density, setHidden, setDensity };
}

export function ViewMenu({ look }: { readonly look: Look }) {
  const { hidden, density, setHidden, setDensity } = look;
  const toggle = (id: string) => setHidden(hidden.has(id) ? [...hidden].filter((one) => one !== id) : [...hidden, id]);
  return (
    <Menu position="bottom-end" closeOnItemClick={false} width={200}>
      <Menu.Target>
        <Button variant="default" size="xs">
          Columns
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        {columns
          .filter(({ id }) => id !== 'name')
          .map(({ id, header }) => (
            <Menu.CheckboxItem key={id} checked={!hidden.has(id)} onChange={() => toggle(id)}>
              {header}
            </Menu.CheckboxItem>
          ))}
        <Menu.Divider />
        <Menu.CheckboxItem
          checked={density === 'compact'}
          onChange={(dense) => setDensity(dense ? 'compact' : 'comfortable')}
        >
          Dense rows
        </Menu.CheckboxItem>
      </Menu.Dropdown>
    </Menu>
  );
}
