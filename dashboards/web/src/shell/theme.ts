const KEY = 'bac-theme';
export type Theme = 'light' | 'dark';

const preferred = (): Theme => (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light');

export const currentTheme = (): Theme => {
  const kept = localStorage.getItem(KEY);
  return kept === 'light' || kept === 'dark' ? kept : preferred();
};

/** Sets the theme on the document; a choice equal to the system's is not kept, so it follows the system. */
export function applyTheme(theme: Theme = currentTheme()): void {
  document.documentElement.dataset.theme = theme;
  if (theme === preferred()) localStorage.removeItem(KEY);
  else localStorage.setItem(KEY, theme);
}
