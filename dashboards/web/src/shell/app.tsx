import { useEffect, useState } from 'react';
import { useStatus } from '../api/use-status.ts';
import { AddSource } from '../streams/add-source.tsx';
import { StreamsPage } from '../streams/streams-page.tsx';
import { Header } from './header.tsx';
import { Login } from './login.tsx';
import { Shortcuts } from './shortcuts.tsx';
import { ToastProvider } from './toasts.tsx';

type Open = 'add' | 'shortcuts' | null;

const typing = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement &&
  (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));

export function App() {
  const live = useStatus();
  const [open, setOpen] = useState<Open>(null);

  useEffect(() => {
    const press = (event: KeyboardEvent): void => {
      if (event.metaKey || event.ctrlKey || event.altKey || typing(event.target)) return;
      if (document.querySelector('dialog[open]')) return;
      if (event.key === '?') setOpen('shortcuts');
      else if (event.key === 'n') setOpen('add');
      else return;
      event.preventDefault();
    };
    addEventListener('keydown', press);
    return () => removeEventListener('keydown', press);
  }, []);

  if (live.connection === 'signed-out') return <Login onDone={live.retry} />;
  return (
    <ToastProvider>
      <Header live={live} onShortcuts={() => setOpen('shortcuts')} onAdd={() => setOpen('add')} />
      <StreamsPage live={live} onAdd={() => setOpen('add')} />
      {open === 'add' && <AddSource onClose={() => setOpen(null)} />}
      {open === 'shortcuts' && <Shortcuts onClose={() => setOpen(null)} />}
    </ToastProvider>
  );
}
