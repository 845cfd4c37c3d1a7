/** High contrast: chosen by hand, or by the system's own wish while nothing was chosen. */
import { useMediaQuery } from '@mantine/hooks';
import { useEffect } from 'react';
import { oneOf, usePreference } from './preference.ts';

export type Contrast = 'system' | 'high' | 'normal';

const accept = oneOf('system', 'high', 'normal');

export function useContrast(): { high: boolean; setContrast: (contrast: Contrast) => void } {
  const [contrast, setContrast] = usePreference<Contrast>('contrast', accept, 'system');
  const wished = useMediaQuery('(prefers-contrast: more)', false);
  const high = contrast === 'high' || (contrast === 'system' && wished);
  useEffect(() => {
    document.documentElement.dataset.contrast = high ? 'high' : 'normal';
  }, [high]);
  return { high, setContrast };
}
