/** The settings as actions of the palette. */
import { useMantineColorScheme } from '@mantine/core';
import type { PageAction } from './actions.ts';
import { useContrast } from './contrast.ts';
import { localZoneName, useZone } from './time-zone.tsx';

export function useSettingActions(): readonly (PageAction & { readonly words?: string })[] {
  const { setColorScheme } = useMantineColorScheme();
  const { high, setContrast } = useContrast();
  const { zone, setZone } = useZone();
  return [
    { id: 'light', label: 'Light colours', words: 'theme scheme', run: () => setColorScheme('light') },
    { id: 'dark', label: 'Dark colours', words: 'theme scheme', run: () => setColorScheme('dark') },
    { id: 'auto', label: 'Colours like the system', words: 'theme scheme', run: () => setColorScheme('auto') },
    {
      id: 'contrast',
      label: high ? 'Normal contrast' : 'High contrast',
      words: 'theme',
      run: () => setContrast(high ? 'normal' : 'high'),
    },
    {
      id: 'zone',
      label: zone === 'utc' ? `Times in ${localZoneName()}` : 'Times in UTC',
      words: 'zone clock',
      run: () => setZone(zone === 'utc' ? 'local' : 'utc'),
    },
  ];
}
