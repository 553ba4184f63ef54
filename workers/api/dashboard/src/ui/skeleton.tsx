// Places of what is on its way, as large as it will be.

export const Skeleton = ({ height, width }: { height: number; width?: string }) => (
  <span class="skeleton" aria-hidden="true" style={{ height: `${height}px`, width: width ?? "100%" }} />
);

export const SkeletonRows = ({ rows, height = 33 }: { rows: number; height?: number }) => (
  <div class="skeleton-rows" aria-hidden="true">
    {Array.from({ length: rows }, (_, row) => (
      <div key={row} style={{ height: `${height}px` }}>
        <Skeleton height={12} width={`${85 - ((row * 17) % 40)}%`} />
      </div>
    ))}
  </div>
);
