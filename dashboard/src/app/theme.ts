/** Mantine's theme: our teal, our type, our density. What a colour means is in tokens.css. */
import {
  type CSSVariablesResolver,
  createTheme,
  defaultVariantColorsResolver,
  type MantineColorsTuple,
} from '@mantine/core';

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

/** Neutral greys of the dark scheme, from text to the ground; those of tokens.css. */
const dark: MantineColorsTuple = [
  '#e6e9ec',
  '#b1bac4',
  '#8b949e',
  '#6e7681',
  '#424a53',
  '#30363d',
  '#252a30',
  '#1b1f23',
  '#14171a',
  '#0d1013',
];

export const theme = createTheme({
  primaryColor: 'teal',
  primaryShade: { light: 8, dark: 3 },
  autoContrast: true,
  luminanceThreshold: 0.35,
  colors: { teal, dark },
  fontFamily: "'Inter Variable', system-ui, sans-serif",
  fontFamilyMonospace: "'JetBrains Mono', ui-monospace, SFMono-Regular, Menlo, monospace",
  fontSizes: { xs: '12px', sm: '13px', md: '14px', lg: '16px', xl: '20px' },
  defaultRadius: 'sm',
  // Mantine takes the text on a filled button from the light shade alone; in dark that would be white on pale teal.
  variantColorResolver: (input) => {
    const colors = defaultVariantColorsResolver(input);
    const isPrimary =
      input.variant === 'filled' && (input.color === undefined || input.color === input.theme.primaryColor);
    return isPrimary ? { ...colors, color: 'var(--mantine-primary-color-contrast)' } : colors;
  },
  components: {
    // In its place in the page, not behind everything: so it lies within a landmark and is read where it was opened.
    Menu: { defaultProps: { withinPortal: false, withInitialFocusPlaceholder: false } },
    // A dialog's heading is no banner of the page, and its cross has a name.
    Modal: { defaultProps: { closeButtonProps: { 'aria-label': 'Close' }, attributes: { header: { role: 'none' } } } },
  },
  respectReducedMotion: true,
  cursorType: 'pointer',
});

/** Mantine's neutral colours are ours, in every scheme and contrast. */
export const cssVariables: CSSVariablesResolver = () => {
  const ours = {
    '--mantine-color-body': 'var(--surface-raised)',
    '--mantine-color-text': 'var(--text)',
    '--mantine-color-bright': 'var(--text)',
    '--mantine-color-dimmed': 'var(--text-dim)',
    '--mantine-color-placeholder': 'var(--text-dim)',
    '--mantine-color-anchor': 'var(--accent-text)',
    '--mantine-color-error': 'var(--state-failed-text)',
    '--mantine-color-default': 'var(--surface-raised)',
    '--mantine-color-default-hover': 'var(--surface-hover)',
    '--mantine-color-default-color': 'var(--text)',
    '--mantine-color-default-border': 'var(--border)',
  };
  // Filled red carries white text in every scheme; the pale shade of dark would not.
  const filled = 'var(--mantine-color-red-9)';
  const dark = { ...ours, '--mantine-color-red-filled': filled, '--mantine-color-red-filled-hover': filled };
  return { variables: {}, light: ours, dark };
};
