/** Mantine's theme: our teal, our type, our density. What a colour means is in tokens.css. */
import { createTheme, type MantineColorsTuple } from '@mantine/core';

/** 174°, from light to dark; 8 carries white text at 5.6 : 1, 3 carries black. */
const teal: MantineColorsTuple = [
  '#e3f8f5',
  '#c6efe9',
  '#93e2d7',
  '#5fd3c4',
  '#36c3b2',
  '#1aa898',
  '#108d80',
  '#0d7f73',
  '#0b7268',
  '#085a52',
];

export const theme = createTheme({
  primaryColor: 'teal',
  primaryShade: { light: 8, dark: 3 },
  autoContrast: true,
  luminanceThreshold: 0.35,
  colors: { teal },
  fontFamily: "'Inter Variable', system-ui, sans-serif",
  fontFamilyMonospace: "'JetBrains Mono', ui-monospace, SFMono-Regular, Menlo, monospace",
  fontSizes: { xs: '12px', sm: '13px', md: '14px', lg: '16px', xl: '20px' },
  defaultRadius: 'sm',
  respectReducedMotion: true,
  cursorType: 'pointer',
});
