/** How the person wants to see things: colour scheme, contrast, time zone. */
import { type MantineColorScheme, Menu, useMantineColorScheme } from '@mantine/core';
import '../ui/overlays.css';
import type { ComponentProps } from 'react';
import type { BarMenuContent } from './bar-menu.tsx';
import { useContrast } from './contrast.ts';
import { localZoneName, useZone } from './time-zone.tsx';

const schemes = [
  ['light', 'Light'],
  ['dark', 'Dark'],
  ['auto', 'Like the system'],
] as const;

export default function SettingsMenu({ button }: ComponentProps<BarMenuContent>) {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const { high, setContrast } = useContrast();
  const { zone, setZone } = useZone();
  return (
    <Menu defaultOpened position="bottom-end" width={240} closeOnItemClick={false}>
      <Menu.Target>{button}</Menu.Target>
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
          <Menu.RadioItem value="local">Here ({localZoneName()})</Menu.RadioItem>
          <Menu.RadioItem value="utc">UTC</Menu.RadioItem>
        </Menu.RadioGroup>
      </Menu.Dropdown>
    </Menu>
  );
}
