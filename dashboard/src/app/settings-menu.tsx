/** How the person wants to see things: colour scheme, contrast, time zone. */
import { ActionIcon, Menu, useMantineColorScheme } from '@mantine/core';
import { Mark } from '../ui/mark.tsx';
import { useContrast } from './contrast.ts';
import { localZoneName, useZone } from './time-zone.tsx';
import classes from './top-bar.module.css';

const schemes = [
  ['light', 'Light'],
  ['dark', 'Dark'],
  ['auto', 'Like the system'],
] as const;

export function SettingsMenu() {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const { high, setContrast } = useContrast();
  const { zone, setZone } = useZone();
  return (
    <Menu position="bottom-end" withinPortal width={240} closeOnItemClick={false}>
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" size={36} aria-label="Theme and time zone">
          <svg viewBox="0 0 20 20" className={classes.icon} aria-hidden="true">
            <path d="M4 6h7M15 6h1M4 14h1M9 14h7M13 4v4M7 12v4" />
          </svg>
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>Colours</Menu.Label>
        {schemes.map(([value, label]) => (
          <Choice key={value} label={label} checked={colorScheme === value} onClick={() => setColorScheme(value)} />
        ))}
        <Menu.Divider />
        <Choice label="High contrast" checked={high} onClick={() => setContrast(high ? 'normal' : 'high')} />
        <Menu.Divider />
        <Menu.Label>Times in</Menu.Label>
        <Choice label={localZoneName()} checked={zone === 'local'} onClick={() => setZone('local')} />
        <Choice label="UTC" checked={zone === 'utc'} onClick={() => setZone('utc')} />
      </Menu.Dropdown>
    </Menu>
  );
}

function Choice({ label, checked, onClick }: { label: string; checked: boolean; onClick: () => void }) {
  return (
    <Menu.Item role="menuitemcheckbox" aria-checked={checked} onClick={onClick} leftSection={<Mark on={checked} />}>
      {label}
    </Menu.Item>
  );
}
