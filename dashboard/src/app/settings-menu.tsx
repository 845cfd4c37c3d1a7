/** How the person wants to see things: colour scheme, contrast, time zone. */
import { ActionIcon, type MantineColorScheme, Menu, useMantineColorScheme } from '@mantine/core';
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
        <Menu.RadioGroup value={colorScheme} onChange={(value) => setColorScheme(value as MantineColorScheme)}>
          {schemes.map(([value, label]) => (
            <Menu.RadioItem key={value} value={value}>
              {label}
            </Menu.RadioItem>
          ))}
        </Menu.RadioGroup>
        <Menu.Divider />
        <Menu.CheckboxItem checked={high} onChange={(on) => setContrast(on ? 'high' : 'normal')}>
          High contrast
        </Menu.CheckboxItem>
        <Menu.Divider />
        <Menu.Label>Times in</Menu.Label>
        <Menu.RadioGroup value={zone} onChange={(value) => setZone(value === 'utc' ? 'utc' : 'local')}>
          <Menu.RadioItem value="local">{localZoneName()}</Menu.RadioItem>
          <Menu.RadioItem value="utc">UTC</Menu.RadioItem>
        </Menu.RadioGroup>
      </Menu.Dropdown>
    </Menu>
  );
}
