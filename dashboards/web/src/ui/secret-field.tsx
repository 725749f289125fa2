interface SecretFieldProps {
  readonly label: string;
  readonly value: string;
  readonly onChange: (value: string) => void;
  readonly autoComplete: 'current-password' | 'new-password' | 'off';
  readonly autoFocus?: boolean;
}

export const SecretField = ({
  label,
  value,
  onChange,
  autoComplete,
  autoFocus = false,
}: SecretFieldProps) => (
  <label className="field">
    <span className="field__label">{label}</span>
    <input
      type="password"
      autoComplete={autoComplete}
      // biome-ignore lint/a11y/noAutofocus: only where it is all there is to do
      autoFocus={autoFocus}
      required
      value={value}
      onChange={(event) => onChange(event.target.value)}
    />
  </label>
);
